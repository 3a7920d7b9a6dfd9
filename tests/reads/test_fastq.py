"""Four-line FASTQ: records, and the line in the message where the order of lines is broken."""

from __future__ import annotations

import io

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.records import Limits, Record, read_records

ONE = b"@r1 text\nACGU\n+\n@>+I\n"
TWO = b"@r2\nGGNN\n+r2\nIIII\n"


def read(content: bytes, limits: Limits | None = None) -> list[Record]:
    return list(read_records(io.BytesIO(content), name="in.fq", limits=limits))


@pytest.mark.parametrize(
    "content",
    [
        ONE + TWO,
        (ONE + TWO).removesuffix(b"\n"),
        (ONE + TWO).replace(b"\n", b"\r\n"),
        (ONE + TWO).replace(b"\n", b"\r"),
        b"\n" + ONE + b"\n\n" + TWO + b"\n \n",
        b"\xef\xbb\xbf" + ONE + TWO,
    ],
)
def test_records_and_qualities_that_look_like_headers(content: bytes) -> None:
    assert [(record.record_id, record.sequence) for record in read(content)] == [(b"r1", b"ACGT"), (b"r2", b"GGNN")]


@pytest.mark.parametrize(
    "end", [b"@r0\n\n+\n\n", b"@r0\n\n+\n", b"@r0\n\n+", b"@r0\r\n\r\n+\r\n\r\n", b"@r0\n \n+r0\n \n"]
)
def test_a_read_of_length_nought_as_trimmers_write_it_is_no_fault(end: bytes) -> None:
    one, hollow = read(ONE + end)
    assert (one.problem, hollow.record_id, hollow.problem, hollow.length) == ("", b"r0", "", 0)


def test_a_description_is_the_rest_of_the_header() -> None:
    content = b"@r1 1:N:0 x \nACGT\n+\nIIII\n@r2\nACGT\n+\nIIII\n@r3 d\nAC-T\n+\nIIII\n"
    assert [record.description for record in read(content)] == [b"1:N:0 x", b"", b"d"]


def test_a_dot_is_a_no_call() -> None:
    called, bad = read(b"@a\nAC..\n+\nIIII\n@b\nA.X\n+\nIII\n")
    assert (called.sequence, called.length) == (b"ACNN", 4)
    assert bad.problem == "illegal character 'X' on line 6: write N for an unknown base"


def test_a_bad_record_is_told_and_the_next_one_read() -> None:
    bad, empty, nameless, last = read(b"@bad\nAC-T\n+\nIIII\n@empty\n\n+\n\n@\nAC\n+\nII\n" + TWO)
    assert bad.problem.startswith("illegal character '-' on line 2")
    assert (empty.record_id, empty.problem, empty.line) == (b"empty", "", 5)
    assert (nameless.problem, last.sequence) == ("empty id", b"GGNN")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (ONE + b"@r2\nGGNN\n+\nIII\n", "in.fq, line 8, record 'r2': 4 bases but 3 quality values"),
        (ONE + b"@r2\nGG\nNN\n+\nIIII\n", "in.fq, line 7, record 'r2': the third line of a FASTQ record must begin"),
        (ONE + b"r2\nGG\n+\nII\n", "in.fq, line 5: a FASTQ header must begin with '@', not 'r2'"),
        (ONE + b"@r2\nGG\n", "in.fq, line 5, record 'r2': the file ends inside a FASTQ record"),
        (ONE + b"@r2\nGG\n+\n", "2 bases but 0 quality values (the file is damaged or cut off)"),
        (ONE + b">a\nACGT\n>b\nAC\n", "a FASTQ header must begin with '@'"),
        (b"@r1\nACGT\n", "the file ends inside a FASTQ record"),
    ],
)
def test_a_broken_order_is_told_with_its_line(content: bytes, part: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content)
    assert part in str(caught.value)


def test_a_file_cut_anywhere_is_noticed_or_complete() -> None:
    whole = ONE + TWO
    for end in range(1, len(whole) - 1):
        try:
            found = read(whole[:end])
        except InputError:
            continue
        assert [record.sequence for record in found] == [b"ACGT"] or len(found) == 2


def test_a_record_without_end_is_refused_in_bounded_memory() -> None:
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        read(b"@r1\n" + b"ACGT" * 1_500_000, Limits(fastq_record_bytes=1_000))


def test_limits_of_header_and_bases() -> None:
    found = read(b"@" + b"h" * 30 + b"\nAC\n+\nII\n@r\nACGTAC\n+\nIIIIII\n", Limits(header_bytes=20, bases=5))
    assert [record.problem for record in found] == [
        "the header has 30 bytes, more than the limit of 20",
        "the sequence has 6 bases, more than the limit of 5",
    ]
