"""The report page: whole, harmless, and small enough."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report.results import record, run_json, write_tables

from virnucpro_tasks.report.content import read_content
from virnucpro_tasks.report.page import is_report, report_page

HOSTILE = (
    b"<script>alert(1)</script>",
    b'"><img src=x onerror=alert(1)>',
    b"'onload='alert(1)",
    b"</script><script>alert(1)",
    b"<!--",
    b"]]>",
    b"{{7*7}}",
    b"&lt;b&gt;",
    b"=1+1",
    "\u2028\u202e".encode(),
    b"\xff\x00\x1b",
    b"<b>" * 3_500,
)


class Page(HTMLParser):
    """Elements, attributes and text of a page as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._tag = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._tag = tag
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in self.inside:
            self.inside[self._tag][-1] += data
        else:
            self.texts.append(data)


def page_of(folder: Path, *records: Any, **changed: Any) -> str:
    return report_page(read_content(write_tables(folder, *records), run_json(**changed)))


@pytest.fixture
def hostile(tmp_path: Path) -> Page:
    records = [record(place, name, *[0.75] * 5, description=name) for place, name in enumerate(HOSTILE)]
    problem = "reads.fasta, record '</li><script>alert(2)</script>': bad"
    warnings = ["<b>short</b> reads"]
    inputs = [{"name": "<i>.fasta", "bytes": 1, "sha256": "0"}]
    return Page(page_of(tmp_path, *records, problems=[problem], warnings=warnings, inputs=inputs))


def test_texts_of_the_input_make_no_element(hostile: Page, tmp_path: Path) -> None:
    plain = Page(page_of(tmp_path / "plain", *[record(place, b"a", *[0.75] * 5) for place in range(len(HOSTILE))]))
    assert {tag for tag, _ in hostile.elements} <= {tag for tag, _ in plain.elements} | {"em", "ul", "li", "h3"}
    assert "img" not in {tag for tag, _ in hostile.elements}
    assert not any(name.startswith("on") or name == "style" for _, attrs in hostile.elements for name in attrs)


def test_ids_are_there_as_they_are_or_with_escapes(hostile: Page) -> None:
    text = "".join(hostile.texts)
    assert all(name.decode() in text for name in HOSTILE[:9])
    assert "\\u2028\\u202e" in text and "\\xff\\x00\\x1b" in text
    assert "<b>" * 3_500 in text
    assert "record '</li><script>alert(2)</script>': bad" in text


def test_only_scripts_and_styles_of_the_page_may_run(hostile: Page) -> None:
    (policy,) = (attrs["content"] for _, attrs in hostile.elements if attrs.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'; ")
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    data, *scripts = hostile.inside["script"]
    found = [
        base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        for code in (*scripts, *hostile.inside["style"])
    ]
    assert allowed == found and "unsafe" not in policy
    assert set(json.loads(data)) >= {"histogram", "points", "tracks", "lanes"} and "<" not in data


def test_nothing_is_asked_of_the_network(hostile: Page) -> None:
    sources = [
        value or ""
        for _, attrs in hostile.elements
        for name, value in attrs.items()
        if name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href")
    ]
    assert all(source.startswith("#") or source == "data:," for source in sources)
    assert not re.search(r"url\((?!#)|@import", hostile.inside["style"][0])


def test_warnings_stand_before_the_results_with_names_of_files_as_they_are(tmp_path: Path) -> None:
    html = page_of(tmp_path, record(0, b"a", 0.75), warnings=["reads.fasta is empty"], incomplete=True)
    assert (
        html.index("Incomplete.")
        < html.index("<li>reads.fasta is empty.")
        < html.index("Which records are viral?</h2>")
    )


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    records = [record(place, b"a%d" % place, 0.75) for place in range(20)]
    content = read_content(write_tables(tmp_path, *records), run_json())
    backwards = json.loads(json.dumps(content.run), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert report_page(content) == report_page(read_content(tmp_path, backwards))


def test_headers_of_tables_have_a_scope_and_tables_a_caption(hostile: Page) -> None:
    tags = [tag for tag, _ in hostile.elements]
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in attrs for tag, attrs in hostile.elements if tag == "th")
    assert all(attrs.get("aria-label") for _, attrs in hostile.elements if attrs.get("role") == "img")


def test_a_thousand_contigs_with_long_ids_are_less_than_three_megabytes(tmp_path: Path) -> None:
    records = [record(place, b"%d" % place + b"<" * 4_000, 0.75) for place in range(1_000)]
    html = page_of(tmp_path, *records)
    assert len(html.encode()) < 3_000_000 and html.count('<tr id="r') == 1_000


def test_a_page_without_records_says_so(tmp_path: Path) -> None:
    html = page_of(tmp_path)
    assert "There is no record." in html and "No record came in." in html


def test_samples_and_workers_have_their_rows(tmp_path: Path) -> None:
    counts = {"scored": 2, "no_open_frame": 1, "too_short": 0, "invalid": 0, "quarantined": 0}
    samples = {name: {"records": counts, "virus_records": 1} for name in ("gut", "liver")}
    inputs = [{"name": name, "bytes": 1, "sha256": "0", "sample": name} for name in ("liver", "gut", "liver")]
    run = run_json(samples=samples, inputs=inputs)
    run["times"]["shards"] = [
        {
            "worker": "gpu0@host",
            "shard": 0,
            "shards": 1,
            "started_at": "2026-01-01T00:00:00+00:00",
            "ended_at": "2026-01-01T00:00:10+00:00",
            "seconds": 8.0,
            "tokens": 4_000,
        }
    ]
    html = report_page(read_content(write_tables(tmp_path, record(0, b"a", 0.75)), run))
    assert "Viral records in 2 samples" in html
    assert 0 < html.index('<th scope="row"><bdi>liver') < html.index('<th scope="row"><bdi>gut')
    assert re.search(r'gpu0@host</th>.*<td class="number">500</td>', html)


@pytest.mark.parametrize("name", ["virus.fasta.gz", "S1_virus.fasta.gz", None])
def test_the_file_of_sequences_is_named_if_it_is_there(tmp_path: Path, name: str | None) -> None:
    run = run_json()
    run["parameters"]["outputs"]["prefix"] = "S1_" if name and name.startswith("S1_") else ""
    run["sha256"] |= {name: ""} if name else {}
    html = report_page(read_content(write_tables(tmp_path, record(0, b"a", 0.9)), run))
    named = re.findall(r"(\S+) holds the records with a score of at least", html)
    assert named == ([name] if name else [])


def test_what_a_score_is_made_of_depends_on_the_coverage(tmp_path: Path) -> None:
    counts = run_json()["counts"]
    alone, covered = "its scored frames and their number, is", "its scored frames and segments and their number, is"
    assert alone in page_of(tmp_path / "frames", record(0, b"a", 0.9))
    html = page_of(tmp_path / "segments", record(0, b"a", 0.9), counts=counts | {"called_records": {}, "segments": 0})
    assert covered in html and alone not in html


def test_a_page_is_known_by_its_head(tmp_path: Path) -> None:
    page, other = tmp_path / "page.html", tmp_path / "other.html"
    page.write_text(page_of(tmp_path, record(0, b"a", 0.75)))
    other.write_text("<!doctype html><title>mine</title>")
    assert is_report(page) and not is_report(other)
