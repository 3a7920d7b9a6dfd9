"""Invalid FASTA records are described with their line, and do not affect their neighbours."""

from __future__ import annotations

import io

import pytest

from virnucpro_tasks.reads import records as module
from virnucpro_tasks.reads.records import Limits, Record, read_records

SMALL = Limits(header_bytes=20, bases=50, kept_id_bytes=8)


def read(content: bytes, limits: Limits | None = None) -> list[Record]:
    return list(read_records(io.BytesIO(content), name="in.fa", limits=limits))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"ACGT\nAC-GT\n", "illegal character '-' on line 5: a gap, so this looks like an alignment"),
        (b"AC.GT\n", "illegal character '.' on line 4"),
        (b"MKTAYIAKQR\n", "illegal character 'I' on line 4: this looks like protein"),
        (b"ACGT*\n", "illegal character '*' on line 4"),
        (b"AC\0GT\n", r"illegal character '\x00' on line 4: a NUL byte, so the file is damaged"),
        (b"1 ACGT 60\n", "illegal character '1' on line 4: remove the numbers"),
        (b"ACXGT\n", "illegal character 'X' on line 4: write N for an unknown base"),
        (b"AC\xe9GT\n", "illegal character byte 0xe9 on line 4"),
        (b"AC>b\n", "illegal character '>' on line 4: a header must begin its line"),
        (b"ACGT\n@read\n", "illegal character '@' on line 5: this looks like FASTQ inside FASTA"),
        (b"A" * 51, "the sequence has 51 bases, more than the limit of 50"),
    ],
)
@pytest.mark.parametrize("block_bytes", [3, 4096])
def test_a_bad_record_between_good_ones(
    monkeypatch: pytest.MonkeyPatch, body: bytes, problem: str, block_bytes: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    first, bad, last = read(b">one\nACGT\n>bad text\n" + body + b"\n>two\nGGCC\n", SMALL)
    assert bad.record_id == b"bad"
    assert bad.problem.startswith(problem)
    assert (bad.sequence, bad.line) == (b"", 3)
    assert [(record.record_id, record.sequence) for record in (first, last)] == [(b"one", b"ACGT"), (b"two", b"GGCC")]


@pytest.mark.parametrize("block_bytes", [3, 4096])
def test_headers(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    long = b"x" * 21
    found = read(b">\nACGT\n>\n>  \nAC\n> id text\nAC\n>" + long + b"\nACGT\n>last", SMALL)
    assert [(record.record_id, record.problem) for record in found] == [
        (b"", "empty id"),
        (b"", "empty id and empty sequence"),
        (b"", "empty id"),
        (b"id", ""),
        (b"x" * 8, "the header has 21 bytes, more than the limit of 20"),
        (b"last", ""),
    ]
    assert [record.line for record in found] == [1, 3, 4, 6, 8, 10]
    assert [record.description for record in found] == [b"", b"", b"", b"text", b"", b""]


@pytest.mark.parametrize("block_bytes", [3, 4096])
def test_a_description_is_the_rest_of_the_header(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    found = read(b">a \t one  two \t\nACGT\n>b \xff=1\nAC-GT\n>c\nA\n>d four\nA\n")
    assert [record.description for record in found] == [b"one  two", b"\xff=1", b"", b"four"]


def test_a_header_at_its_limit_and_a_sequence_at_its_limit_are_fine() -> None:
    (record,) = read(b">" + b"h" * 20 + b"\n" + b"A" * 50 + b"\n", SMALL)
    assert (record.problem, record.length) == ("", 50)


def test_length_counts_letters_of_bad_records_too() -> None:
    assert [record.length for record in read(b">a\nACGT\nAC-\n>b\n" + b"A" * 60, SMALL)] == [7, 60]


def test_upper_case_u_as_t_and_iupac_letters_kept() -> None:
    (record,) = read(b">a\nacguUtNRYKMSWBDHVnrykmswbdhv\n")
    assert record.sequence == b"ACGTTTNRYKMSWBDHVNRYKMSWBDHV"
