"""Cells of the workbook, read from its XML: what is text there is computed by no program."""

from __future__ import annotations

import re
import zipfile
from html import unescape
from pathlib import Path

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.output import workbook
from virnucpro_tasks.output.fields import texts
from virnucpro_tasks.output.workbook import NUMBERS, write_workbook

IDS = [
    b"=1+1",
    b"+1",
    b"-1",
    b"@SUM(A1)",
    b"\tx",
    b"SEP-1",
    b"007",
    b"1E5",
    b"http://a.b",
    b'say "no"',
    b"\xffid",
    b" a ",
]
CELL = re.compile(r'<c r="([A-Z]+)(\d+)"(?: s="\d+")?( t="(\w+)")?>(.*?)</c>', re.DOTALL)


def cells(file: Path, sheet: int = 1) -> dict[str, tuple[str, str]]:
    """Kind and content of each cell; the kind of a number is empty."""
    with zipfile.ZipFile(file) as archive:
        xml = archive.read(f"xl/worksheets/sheet{sheet}.xml").decode()
    return {
        column + row: (kind, unescape(re.sub(r"<[^>]+>", "", content)))
        for column, row, _, kind, content in CELL.findall(xml)
    }


@pytest.fixture
def records(tmp_path: Path) -> Path:
    table = tmp_path / "records.tsv"
    lines = [text + b"\t%d\tNA\n" % number for number, text in enumerate(texts(IDS))]
    table.write_bytes(b"record_id\tlength\tmean_viral_score\n" + b"".join(lines))
    return table


def test_ids_are_text_letter_by_letter_and_numbers_are_numbers(records: Path, tmp_path: Path) -> None:
    write_workbook([records], tmp_path / "out.xlsx")
    found = cells(tmp_path / "out.xlsx")
    for row, record_id in enumerate(IDS, start=2):
        assert found[f"A{row}"] == ("inlineStr", record_id.decode(errors="backslashreplace")), record_id
        assert found[f"B{row}"] == ("", str(row - 2))
        assert found[f"C{row}"] == ("inlineStr", "NA")
    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")


def test_legacy_files_quote_nothing(tmp_path: Path) -> None:
    table = tmp_path / "prediction_results.txt"
    table.write_bytes(b'Sequence_ID\tPrediction\tscore1\tscore2\n"a\tvirus\t0.25\t0.75\n=1\tothers\t0.5\t0.5\n')
    write_workbook([table, table], tmp_path / "out.xlsx")
    for sheet in (1, 2):
        found = cells(tmp_path / "out.xlsx", sheet)
        assert (found["A2"], found["A3"], found["D2"]) == (("inlineStr", '"a'), ("inlineStr", "=1"), ("", "0.75"))


def test_ids_and_names_are_no_numbers() -> None:
    assert {"length", "chunk", "start", "mean_viral_score", "scored_fraction", "records"} <= NUMBERS
    assert not {"record_id", "input", "status", "call", "reason", "model", "sample", "Sequence_ID"} & NUMBERS


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no table of results"),
        (b"only\n", "no table of results"),
        (b"record_id\tlength\na\t1\t2\n", "line 2: this row has 3 fields, the header 2"),
        (b"record_id\tlength\na\t1\nb\t2\nc\t3\n", "a sheet holds 3 rows"),
        (b"record_id\tlength\n" + b"x" * 40_000 + b"\t1\n", "record_id has 40,000 letters, a cell holds 32,767"),
    ],
)
def test_what_does_not_fit_is_an_error_and_leaves_nothing(
    content: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(InputError, match=says):
        write_workbook([tmp_path / "t.tsv"], tmp_path / "out.xlsx")
    assert [file.name for file in tmp_path.iterdir()] == ["t.tsv"]


def test_names_of_sheets_are_valid_and_differ(tmp_path: Path) -> None:
    names = workbook._sheet_names([Path(f"{n}/{stem}.tsv") for n in "ab" for stem in ("records", "a[1]:x" * 9)])
    assert len({name.lower() for name in names}) == 4 and max(map(len, names)) <= 31
    assert not any(letter in name for name in names for letter in "[]:*?/\\")
