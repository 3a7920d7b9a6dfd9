"""Viral sequences as Biopython records: ids and headers are those of the input."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from Bio import SeqIO

from virnucpro_tasks.errors import BackendError, DamagedError
from virnucpro_tasks.results.sequences import read_sequences
from virnucpro_tasks.system import extras

ENTRIES = [
    (b"NC_1", b"NC_1 a phage virus_score=1 chunks=2", b"ACGTNacgu"),
    (b"\xff\xc2\xa0x", b"\xff\xc2\xa0x", b"AC"),
    (b"<b>", b"<b>  two  blanks", b"A"),
    (b"\x1cx\x1dy", b"\x1cx\x1dy z", b"G"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "virus.fasta.gz"
    lines = [b">%b virus_score=0.75 chunks=3\n%b\n" % (header, sequence) for _, header, sequence in ENTRIES]
    path.write_bytes(gzip.compress(lines[0]) + gzip.compress(b"".join(lines[1:])))
    return path


def test_records_have_the_ids_and_headers_of_the_input(file: Path) -> None:
    found = list(read_sequences(file))
    assert [os.fsencode(record.id) for record in found] == [entry[0] for entry in ENTRIES]
    assert [os.fsencode(record.description) for record in found] == [entry[1] for entry in ENTRIES]
    assert [bytes(record.seq) for record in found] == [entry[2] for entry in ENTRIES]
    assert all(record.annotations == {"virus_score": 0.75, "chunks": 3} for record in found)


def test_they_are_written_as_they_were_in_the_input(file: Path, tmp_path: Path) -> None:
    SeqIO.write(list(read_sequences(file))[:1], tmp_path / "out.fasta", "fasta")
    assert (tmp_path / "out.fasta").read_text() == ">NC_1 a phage virus_score=1 chunks=2\nACGTNacgu\n"


def test_sequences_that_were_left_out_can_be_extracted(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="virnucpro extract RESULTS"):
        list(read_sequences(tmp_path / "virus.fasta.gz"))


def test_a_sequence_may_have_several_lines(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b">a virus_score=1 chunks=1\r\nAC\r\nGT\r\n"))
    (record,) = read_sequences(tmp_path / "x.gz")
    assert record.seq == "ACGT"


def test_none_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b""))
    assert list(read_sequences(tmp_path / "x.gz")) == []


@pytest.mark.parametrize(
    "content",
    [None, b"plain", gzip.compress(b">a virus_score=1 chunks=1\nAC\n" * 999)[:-20], gzip.compress(b">a\nAC\n")],
    ids=["missing", "no gzip", "cut off", "of others"],
)
def test_a_file_that_is_missing_cut_off_or_of_others_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(DamagedError, match=r"x\.gz"):
        list(read_sequences(tmp_path / "x.gz"))


def test_without_biopython_the_error_says_how_to_get_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"no Bio .*\.\[biopython\]"):
        next(read_sequences(file))
