"""The report page in a real browser, as it is opened from a disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium
from report.conftest import HOSTILE_IDS, PREFIX
from report.results import record, write_tables
from report.test_cutoffs import RATES, run_of

from virnucpro_tasks.report.content import read_content
from virnucpro_tasks.report.page import report_page

NARROW_PIXELS = 390
THEMES = ("light", "dark")


class Visit:
    """A page in a browser, and what happened to it: messages, errors, dialogs, and requests for other addresses."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.events: list[str] = []
        page.on("console", lambda message: self.events.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("popup", lambda popup: self.events.append(f"popup: {popup.url}"))
        page.route("**/*", lambda route: self._decide(route, address))
        page.set_default_timeout(10_000)
        page.goto(address)
        page.wait_for_selector("html[data-ready]")

    def _dismiss(self, dialog: Any) -> None:
        self.events.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _decide(self, route: Any, address: str) -> None:
        if route.request.url == address:
            route.continue_()
        else:
            self.events.append(f"request: {route.request.url}")
            route.abort()

    def rows(self) -> list[str]:
        """The ids of the rows that the table shows, in its order."""
        cells = self.page.locator("#table tbody tr:visible .id bdi").all_text_contents()
        return [text for text in cells if text]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(results: Path) -> str:
    return (results / f"{PREFIX}report.html").as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visited = Visit(context.new_page(), address)
    yield visited
    context.close()
    assert visited.events == []


def test_it_opens_without_an_error_or_a_request_and_ids_do_no_harm(visit: Visit, results: Path) -> None:
    assert "harm" not in visit.page.title()
    # Each id is a text of the page, and no element or attribute came of it.
    shown = visit.page.locator("#table tbody .id").evaluate_all(
        "all => all.map(each => each.querySelector('bdi').textContent)"
    )
    assert {hostile.decode() for hostile in HOSTILE_IDS[:-3]} <= set(shown)
    assert visit.page.locator("script").count() == 3
    assert visit.page.locator("img, iframe, object, embed, form[action], [onerror], [onmouseover]").count() == 0
    assert visit.page.locator("a:not([href^='#'])").count() == 0
    run = json.loads((results / "run.json").read_bytes())
    assert len(shown) == sum(run["counts"]["records"].values())
    assert f"{run['counts']['virus_records']:,}" in visit.page.locator(".tile.virus").inner_text()


def test_a_long_id_is_cut_and_shown_as_a_whole_on_demand(visit: Visit) -> None:
    cell = visit.page.locator("#table .id details.long").first
    assert cell.bounding_box()["height"] < 100
    cell.locator("summary").click()
    assert len(cell.inner_text()) > 1_000


@pytest.mark.parametrize("theme", THEMES)
def test_an_accessibility_checker_finds_nothing(browser: Any, address: str, theme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(color_scheme=theme, viewport={"width": 1280, "height": 900})
    visit = Visit(context.new_page(), address)
    # What is closed has to be readable, too.
    visit.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    found = Axe().run(visit.page, options={"resultTypes": ["violations"]}).response
    context.close()
    assert visit.events == []
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found["violations"]] == []
    assert found["testEngine"]["name"] == "axe-core"


def test_the_theme_is_that_of_the_system_until_one_is_chosen(visit: Visit) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    before = visit.page.evaluate(ground)
    visit.page.click("#theme")
    chosen = visit.page.evaluate(ground)
    assert chosen != before
    visit.page.emulate_media(color_scheme="dark")
    assert visit.page.evaluate(ground) == chosen


def test_search_leaves_the_rows_that_hold_the_text(visit: Visit) -> None:
    everything = visit.rows()
    visit.page.fill("#search", "hyperlink(1)")
    assert visit.rows() == ["=HYPERLINK(1)"]
    visit.page.fill("#search", "no such record")
    assert visit.rows() == []
    visit.page.fill("#search", "")
    assert visit.rows() == everything and len(everything) > len(HOSTILE_IDS)
    visit.page.select_option("#filter", "virus")
    assert 0 < len(visit.rows()) < len(everything)


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_rows_are_sorted_by_mouse_and_by_keyboard(visit: Visit, way: str) -> None:
    head = visit.page.locator("#table thead th", has_text=re.compile(r"^bases$"))
    if way == "keyboard":
        visit.page.focus("#search")
        for _ in range(20):
            visit.page.keyboard.press("Tab")
            if visit.page.evaluate("document.activeElement.closest('th')?.textContent.trim()") == "bases":
                break
    lengths = []
    for _ in range(2):
        if way == "mouse":
            head.locator("button").click()
        else:
            visit.page.keyboard.press("Enter")
        column = head.evaluate("(head) => head.cellIndex")
        texts = visit.page.locator(
            f"#table tbody tr td:nth-child({column + 1}), #table tbody tr th:nth-child({column + 1})"
        )
        lengths.append([int(text.replace(",", "")) for text in texts.all_text_contents()])
    first, second = lengths
    assert first == sorted(first, reverse=True) and second == sorted(second) and first[0] > first[-1]
    assert head.get_attribute("aria-sort") == "ascending"


def test_the_first_key_leads_to_the_results(visit: Visit) -> None:
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.className") == "skip"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("location.hash") == "#main"


def test_a_narrow_page_is_not_wider_than_its_screen(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": NARROW_PIXELS, "height": 800})
    visit.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= NARROW_PIXELS


COLUMNS = """all => all.map(table => [...table.rows].map(row => [...row.cells]
    .filter(cell => cell.getClientRects().length).map(cell => Math.round(cell.getBoundingClientRect().left)).join()))"""


@pytest.mark.parametrize("width", [NARROW_PIXELS, 1280])
def test_cells_of_a_table_lie_under_their_heads(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    tables = visit.page.locator("table:visible").evaluate_all(COLUMNS)
    assert len(tables) > 5
    assert [len({row for row in rows if row}) for rows in tables] == [1] * len(tables)


def test_it_is_printed_on_white_without_controls(visit: Visit) -> None:
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )
    for control in ("#search", "#theme", "nav"):
        assert not visit.page.locator(control).is_visible(), control
    assert visit.page.locator("#table tbody tr:visible").count() > 0
    assert visit.page.pdf(format="A4", print_background=True).startswith(b"%PDF")


def test_charts_are_drawn_and_have_a_text(visit: Visit) -> None:
    charts = visit.page.locator("[data-chart]")
    assert {"histogram", "plane", "track", "lanes"} <= set(
        charts.evaluate_all("all => all.map(each => each.dataset.chart)")
    )
    for place in range(charts.count()):
        assert charts.nth(place).get_attribute("role") == "img"
        assert charts.nth(place).get_attribute("aria-label")
        assert charts.nth(place).locator("svg rect, svg path, svg circle").count() > 0


def test_a_cutoff_that_follows_from_a_rate_is_told_in_three_digits(browser: Any, tmp_path: Path) -> None:
    run = run_of(RATES | {"levels": {"0.05": 0.642432}})
    page = tmp_path / "report.html"
    page.write_text(report_page(read_content(write_tables(tmp_path, record(0, b"a", 0.9)), run)))
    visit = Visit(browser.new_page(), page.as_uri())
    label = visit.page.locator("[data-chart=histogram] text", has_text="to FASTA")
    assert label.evaluate("found => found.firstChild.textContent") == "to FASTA 0.642"
    assert "sequences are written from 0.642432" in (label.text_content() or "")
    assert visit.events == []
