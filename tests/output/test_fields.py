from __future__ import annotations

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.output.fields import header_line, scores, table_lines, text_field


@pytest.mark.parametrize("plain", [b"", b"gi|123|ref|NC_1.1|", b"path/like/../id", b"a,b;c", b"a'b", "ä€".encode()])
def test_ordinary_text_is_written_as_it_is(plain: bytes) -> None:
    assert text_field(plain) == plain


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (b"=1+1", b'"=1+1"'),
        (b"-rf", b'"-rf"'),
        (b"+x", b'"+x"'),
        (b"@SUM(A1)", b'"@SUM(A1)"'),
        (b'comma,quote"semi;', b'"comma,quote""semi;"'),
        (b"a\tb\nc\r", b'"a\tb\nc\r"'),
    ],
)
def test_what_would_break_a_reader_or_compute_is_quoted(text: bytes, written: bytes) -> None:
    assert text_field(text) == written


@given(st.lists(st.binary(min_size=1), min_size=1, max_size=5))
def test_the_csv_module_reads_every_field_back(fields: list[bytes]) -> None:
    (line,) = table_lines(*([text_field(content)] for content in fields))
    read = list(csv.reader(io.StringIO(line.decode("utf-8", "surrogateescape"), newline=""), delimiter="\t"))
    assert [field.encode("utf-8", "surrogateescape") for field in read[0]] == fields
    assert len(read) == 1


@pytest.mark.parametrize(
    ("score", "written"),
    [(0.5, b"0.5"), (1.0, b"1"), (0.0011595711, b"0.00115957"), (1e-5, b"1e-05"), (math.nan, b"NA")],
)
def test_scores_have_six_digits(score: float, written: bytes) -> None:
    assert scores([score]) == [written]


def test_a_header_is_a_line_of_names() -> None:
    assert header_line(("record_id", "status")) == b"record_id\tstatus\n"
