"""Empty files among the inputs of a job."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from reads.reading import read_files

from virnucpro_tasks.errors import EmptyInputError, InputError
from virnucpro_tasks.reads.inputs import ReadInput, empty_input_error

FASTA = b">a\n" + b"ACG" * 60 + b"\n"
EMPTY = {
    "nothing": b"",
    "blank lines": b"\n \r\n\n",
    "a byte order mark": b"\xef\xbb\xbf",
    "nothing, gzip": gzip.compress(b""),
    "blank lines, gzip": gzip.compress(b"\n\n"),
}


def write(folder: Path, content: bytes, name: str) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("kind", EMPTY)
def test_an_empty_file_among_others_has_no_rows(tmp_path: Path, kind: str) -> None:
    good, empty = write(tmp_path, FASTA, "good.fa"), write(tmp_path, EMPTY[kind], "empty.fa")
    rows = read_files(empty, good, empty, good).chunks
    assert [(row["input_ordinal"], row["record_ordinal"]) for row in rows] == [(1, 0), (3, 1)]
    assert isinstance(empty_input_error(ReadInput(empty, "empty.fa")), EmptyInputError)
    assert empty_input_error(ReadInput(good, "good.fa")) is None


@pytest.mark.parametrize("kind", EMPTY)
def test_strict_refuses_it(tmp_path: Path, kind: str) -> None:
    good, empty = write(tmp_path, FASTA, "good.fa"), write(tmp_path, EMPTY[kind], "empty.fa")
    with pytest.raises(EmptyInputError, match=r"^empty\.fa"):
        read_files(good, empty, strict=True)


@pytest.mark.parametrize(
    ("number", "end"), [(1, "empty"), (2, "empty, and so is the other input"), (3, "and so are the 2 other inputs")]
)
def test_empty_files_alone_are_refused(tmp_path: Path, number: int, end: str) -> None:
    files = [write(tmp_path, b"", f"empty{ordinal}.fa") for ordinal in range(number)]
    with pytest.raises(EmptyInputError) as caught:
        read_files(*files)
    assert str(caught.value).startswith("empty0.fa: the file is empty") and str(caught.value).endswith(end)


@pytest.mark.parametrize("content", [b"@r\nACGT\n+\nII\n", b"<html>", b">p\nMKVLEFIQ\n", b"; c\n>a\nACGT\n"])
def test_a_beginning_that_is_not_fasta_or_fastq_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"^in\.fa"):
        empty_input_error(ReadInput(write(tmp_path, content, "in.fa"), "in.fa"))
