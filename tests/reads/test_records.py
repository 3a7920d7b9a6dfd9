"""Records of a stream with any line ends, wrapping and block boundaries; streams without records."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads import records as module
from virnucpro_tasks.reads.records import Limits, Record, read_records


def read(content: bytes, *, limits: Limits | None = None) -> list[Record]:
    return list(read_records(io.BytesIO(content), name="in.fa", limits=limits))


def plain(content: bytes) -> list[tuple[bytes, bytes, int, str]]:
    return [(record.record_id, record.sequence, record.line, record.problem) for record in read(content)]


TWO = [(b"a", b"ACGTAC", 1, ""), (b"b", b"GG", 4, "")]


@pytest.mark.parametrize(
    "content",
    [
        b">a text\nACG\nTAC\n>b\nGG\n",
        b">a text\nACG\nTAC\n>b\nGG",
        b">a text\r\nACG\r\nTAC\r\n>b\r\nGG\r\n",
        b">a text\rACG\rTAC\r>b\rGG\r",
        b">a text\r\nACG\nTAC\r>b\r\nGG",
        b"\xef\xbb\xbf>a text\nACG\nTAC\n>b\nGG\n",
        b">a text\nacg\nuaC\n>b\ngg\n",
        b">a text\nA C\tG\n\x0bTAC \n>b\nGG\n\n\n",
        b">a\ttext\nACG\nTAC\n> b\nGG\n".replace(b"> b", b">b "),
    ],
)
def test_one_content_in_many_spellings(content: bytes) -> None:
    assert plain(content) == TWO


def test_lines_are_counted_with_blank_ones_before_and_inside() -> None:
    assert plain(b"\n\n  \n>a\n\nAC\n\n>b\nGG\n") == [(b"a", b"AC", 4, ""), (b"b", b"GG", 8, "")]


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 5, 7, 64])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_blocks_may_break_anywhere(monkeypatch: pytest.MonkeyPatch, block_bytes: int, line_end: bytes) -> None:
    fasta = b">a text\nACG\nTAC\n>b\nGG\n>c\n\n>d\nA-C\n".replace(b"\n", line_end)
    fastq = b"@a\nACGT\n+\nIII>\n@b\nGG\n+b\n@@\n".replace(b"\n", line_end)
    whole = [plain(fasta), plain(fastq)]
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    assert [plain(fasta), plain(fastq)] == whole
    assert [len(found) for found in whole] == [4, 2]


identifiers = st.text("abcXYZ019|._-", min_size=1, max_size=8)
sequences = st.text("ACGTNRYKM", min_size=1, max_size=60)


@given(st.lists(st.tuples(identifiers, sequences), min_size=1, max_size=8), st.integers(1, 70), st.sampled_from("\n\r"))
def test_any_wrapping_gives_the_records_back(records: list[tuple[str, str]], width: int, line_end: str) -> None:
    lines = []
    for name, sequence in records:
        lines += [f">{name} some text", *(sequence[at : at + width] for at in range(0, len(sequence), width))]
    found = read(line_end.join(lines).encode())
    assert [(record.record_id.decode(), record.sequence.decode()) for record in found] == records
    assert not any(record.problem for record in found)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"  \n\n", "nothing but white space"),
        (b"ACGT\n>a\nACGT\n", "line 1: sequence data before the first header: 'ACGT' (a FASTA record begins"),
        (b"\n\nACGT\nAC\n", "line 3: sequence without a header"),
        (b"MKVLAT\n", "not FASTA or FASTQ: the file begins with 'MKVLAT'"),
        (b"; comment\n>a\nACGT\n", "not FASTA or FASTQ: the file begins with '; comment'"),
        (b"id,sequence\na,ACGT\n", "not FASTA or FASTQ"),
        (b"\x1b[31m>a\nACGT\n", r"not FASTA or FASTQ: the file begins with '\\x1b[31m>a'"),
        (b"\x00\x01\x02\x03", "not FASTA or FASTQ"),
        (">a\nACGT\n".encode("utf-16"), "UTF-16"),
        (b"<?xml version='1.0'?>", "HTML or XML"),
        (b"LOCUS       NC_001416\n", "GenBank"),
        (b"\xef\xbb\xbfLOCUS       NC_001416\n", "GenBank"),
        (b"\xef\xbb\xbf<html>", "HTML or XML"),
        (b"\n\n@HD\tVN:1.6\n@SQ\tSN:a\tLN:4\n", "SAM"),
    ],
)
def test_what_holds_no_records_is_named_with_its_line(content: bytes, part: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content)
    assert part in str(caught.value)
    assert str(caught.value).startswith("in.fa")


def test_one_id_can_stand_in_many_records() -> None:
    assert [record.record_id for record in read(b">a\nAC\n>a\nGT\n")] == [b"a", b"a"]


def test_ids_are_bytes_up_to_the_first_white_space() -> None:
    ids = [b"\xff\xfe", b"a\x1b[31m", b"=1+1", "é".encode(), b"a/../b", b">b"]
    content = b"".join(b">" + name + b" text\nACGT\n" for name in ids)
    assert [record.record_id for record in read(content)] == ids


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    class Trickle(io.RawIOBase):
        def __init__(self) -> None:
            self.rest = b">a\nACGT\n>b\nGG\n"

        def read(self, size: int = -1, /) -> bytes:
            piece, self.rest = self.rest[:1], self.rest[1:]
            return piece

    assert [record.sequence for record in read_records(Trickle(), name="pipe")] == [b"ACGT", b"GG"]
