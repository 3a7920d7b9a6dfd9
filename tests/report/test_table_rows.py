"""Rows of the table in the page show the text of the input as text, whatever it is."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from virnucpro_tasks.report.records import RecordRow
from virnucpro_tasks.report.table_rows import table_row, text_element
from virnucpro_tasks.report.wording import ShownText, TextBudget

ROW = RecordRow(
    place=1_234,
    sample="",
    record=1_234,
    record_id=b"a",
    description=b"",
    input=b"in.fa",
    mate=None,
    length=5_000,
    status="scored",
    chunks=12,
    scored_chunks=10,
    virus_chunks=9,
    scored_fraction=0.5,
    highest=0.75,
    score=0.123456,
    call="virus",
    evidence="medium",
    reason=b"",
)
ALLOWED = {"tr", "td", "th", "bdi", "small", "span", "details", "summary", "em"}
HOSTILE = (b"<script>x</script>", b'" onmouseover="x', b"' onfocus='x", b"</td></tr><b>&amp;", b"&lt;", b"{{ 7 * 7 }}")


class Read(HTMLParser):
    """What a browser finds in a row: elements, names of attributes, and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def row_of(**changed: object) -> Read:
    return Read(table_row(replace(ROW, **changed), shown=TextBudget(1_000).shown, has_samples=True))


def test_a_row_has_the_values_of_its_record() -> None:
    assert row_of(sample="s", mate=2).texts == [
        *("1,234", "s", "a", " ", "mate 2", "5,000", "virus"),
        *("0.123", "0.750", "medium", "10 / 12", "50.0 %"),
    ]
    unread = row_of(call=None, evidence=None, score=None, highest=None, reason=b"why")
    assert unread.texts[-7:] == ["no answer", "NA", "NA", "NA", "10 / 12", "50.0 %", "why"]


@pytest.mark.parametrize("field", ["record_id", "description", "reason", "sample"])
@pytest.mark.parametrize("content", HOSTILE)
def test_text_of_the_input_is_text(field: str, content: bytes) -> None:
    read = row_of(**{field: content.decode() if field == "sample" else content})
    assert content.decode() in read.texts
    assert read.elements <= ALLOWED and read.attributes <= {"id", "class", "scope", "data-value"}


def test_long_text_is_whole_on_demand_and_tells_what_is_left_off() -> None:
    read = Read(text_element(ShownText("<a…", "<a>bc", left_off=1_000), 7))
    assert read.texts == ["<a…", "<a>bc", " ", "and 1,000 more letters, see records.tsv, row 7"]
    assert read.elements == {"details", "summary", "bdi", "em"}
