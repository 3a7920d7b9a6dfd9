"""Hostile inputs next to the collected ones: read as what they are, or told by file, record and line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from reads.reading import read_files

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.records import Limits

A = b"ACG" * 60
B = b"GGC" * 60
Q = b"I" * 180
BOM = b"\xef\xbb\xbf"
FASTA = b">a text\n" + A + b"\n>b\n" + B + b"\n"
FASTQ = b"@a text\n" + A + b"\n+\n@" + Q[1:] + b"\n@b\n" + B + b"\n+b\n" + Q + b"\n"
NEXT = b"\n>b\n" + B + b"\n"

SAME = {
    "old Mac line ends": FASTA.replace(b"\n", b"\r"),
    "mixed line ends": b">a text\r\n" + A + b"\n>b\r" + B + b"\r\n",
    "doubled carriage returns": FASTA.replace(b"\n", b"\r\r\n"),
    "form feeds and tabs": b"\f" + FASTA.replace(b" text", b"\ttext").replace(b"ACGACG", b"ACG\tACG\v"),
    "space behind >": FASTA.replace(b">", b">  "),
    "spaces in the sequence": FASTA.replace(b"ACGACG", b" ACG ACG "),
    "lower case": FASTA.replace(A, A.lower()).replace(B, B.lower()),
    "no final newline": FASTA[:-1],
    "blank lines around": b"\n \r\n" + FASTA + b"\n\n",
    "FASTQ": FASTQ,
    "FASTQ, CRLF": FASTQ.replace(b"\n", b"\r\n"),
    "FASTQ, old Mac": FASTQ.replace(b"\n", b"\r"),
    "FASTQ, no final newline": FASTQ[:-1],
    "FASTQ, gzip": gzip.compress(FASTQ),
    "FASTQ, blank lines between": FASTQ.replace(b"\n@b", b"\n\n\n@b"),
    "mark within gzip": gzip.compress(BOM + FASTA),
    "members of gzip cut inside a record": gzip.compress(FASTA[:50]) + gzip.compress(FASTA[50:]),
    "gzip with an empty last member": gzip.compress(FASTA) + gzip.compress(b""),
    "bzip2 in two": bz2.compress(FASTA[:7]) + bz2.compress(FASTA[7:]),
    "xz in two": lzma.compress(FASTA[:7]) + lzma.compress(FASTA[7:]),
    "zstd in two": zstandard.compress(FASTA[:7]) + zstandard.compress(FASTA[7:]),
}


def write(folder: Path, content: bytes, name: str = "in.fa") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("kind", SAME)
def test_the_same_records_in_another_form(tmp_path: Path, kind: str) -> None:
    expected = read_files(write(tmp_path, FASTA, "plain.fa"))
    assert expected.statuses == {"scored": 2}
    assert read_files(write(tmp_path, SAME[kind])) == expected


INVALID = {
    "stop at the end": (b">a\n" + A + b"*", "'*' on line 2: a stop"),
    "numbered lines": (b">a\n       1 acgtacgtac gtacgtacgt", "'1' on line 2: remove the numbers"),
    "comment inside": (b">a\n;comment\n" + A, "';' on line 2: comments are not read; remove the line"),
    "indented header": (b">a\n" + A + b"\n >x\n" + A, "'>' on line 3: a header must begin its line"),
    "mark of a joined file": (b">a\n" + A + b"\n" + BOM + b">x\n" + A, "byte 0xef on line 3: a byte order mark"),
    "no-break space": (b">a\nAC\xc2\xa0GT", "byte 0xc2 on line 2: bases are plain ASCII letters"),
    "NUL block": (b">a\n" + A + bytes(512), r"'\x00' on line 2: a NUL byte, so the file is damaged"),
    "DOS end of file": (b">a\n" + A + b"\n\x1a", r"'\x1a' on line 3: a DOS end-of-file mark"),
    "escape sequence": (b">a\n" + A + b"\x1b[0m", r"'\x1b' on line 2"),
    "FASTQ behind FASTA": (b">a\n" + A + b"\n@r\n" + A + b"\n+\n" + Q, "'@' on line 3: this looks like FASTQ"),
    "colour space": (b">a\nT0123012301230", "'0' on line 2: remove the numbers"),
    "protein": (b">a\nMKVLATEFIQW", "'L' on line 2: this looks like protein"),
    "header alone": (b">a", "empty sequence"),
    "header over its limit": (b">a " + b"d" * 70_000 + b"\n" + A, "the header has 70,002 bytes, more than the limit"),
    "sequence over its limit": (b">a\n" + A * 20, "the sequence has 3,600 bases, more than the limit of 3,000"),
}


@pytest.mark.parametrize("kind", INVALID)
def test_one_record_is_listed_and_the_next_one_scored(tmp_path: Path, kind: str) -> None:
    content, reason = INVALID[kind]
    bad, good = read_files(write(tmp_path, content + NEXT), limits=Limits(bases=3_000)).ledger
    assert (bad["record_id"], bad["status"], good["record_id"], good["status"]) == (b"a", "invalid", b"b", "scored")
    assert reason in bad["reason"]
    assert bad["reason"].endswith("(record begins on line 1)")


REFUSED = {
    "cut gzip of FASTQ": (gzip.compress(FASTQ)[:-9], "in.fa: the gzip compressed data ends early"),
    "cut inside qualities": (FASTQ[:-9], "in.fa, line 8, record 'b': 180 bases but 172 quality values"),
    "cut behind a header": (FASTQ + b"@c", "in.fa, line 9, record 'c': the file ends inside a FASTQ record"),
    "wrapped FASTQ": (b"@a\nAC\nGT\n+\nII\nII\n", "in.fa, line 3, record 'a': the third line of a FASTQ record"),
    "FASTA behind FASTQ": (FASTQ + FASTA, "in.fa, line 9: a FASTQ header must begin with '@', not '>a text'"),
    "plain text behind gzip": (gzip.compress(FASTA) + FASTA, "in.fa: something else follows the end of the gzip"),
    "bzip2 behind gzip": (gzip.compress(FASTA) + bz2.compress(FASTA), "in.fa: something else follows the end of the"),
    "two compressions": (gzip.compress(lzma.compress(FASTA)), "in.fa: the file is compressed twice: xz inside gzip"),
    "blank lines in gzip": (gzip.compress(b"\n\n"), "in.fa, line 1: the file holds nothing but white space"),
    "> alone": (b">", "in.fa, line 1: empty id and empty sequence"),
    "comment first": (b";c\n" + FASTA, "in.fa, line 1: not FASTA or FASTQ: the file begins with ';c'"),
    "table": (b"\nid\tseq\na\tACGT\n", r"in.fa, line 2: not FASTA or FASTQ: the file begins with 'id\\tseq'"),
    "large file pointer": (b"version https://git-lfs.github.com/spec/v1\n", "in.fa, line 1: not FASTA or FASTQ"),
    "NUL alone": (bytes(2_000), "in.fa, line 1: not FASTA or FASTQ"),
    "UTF-16 in gzip": (gzip.compress(FASTA.decode().encode("utf-16")), "in.fa, line 1: this is text in UTF-16"),
    "no valid record": (b"\n>a\nAC-\n>b\n", "in.fa, line 2, record 'a': illegal character '-' on line 3"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_is_refused_with_its_line(tmp_path: Path, kind: str) -> None:
    content, message = REFUSED[kind]
    with pytest.raises(InputError) as caught:
        read_files(write(tmp_path, content))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("record_id", [b"\xff\xfe", b"a\0b", b"a\x1b[31m", "é\u2003x".encode(), b">a", b"x" * 60_000])
def test_ids_are_kept_byte_for_byte(tmp_path: Path, record_id: bytes) -> None:
    file = write(tmp_path, b">" + record_id + b"\ttext\n" + A + NEXT)
    assert [row["record_id"] for row in read_files(file).ledger] == [record_id, b"b"]


def test_equal_ids_stay_apart_within_and_across_files(tmp_path: Path) -> None:
    file = write(tmp_path, FASTA + FASTA)
    rows = read_files(file, file).ledger
    assert [row["record_id"] for row in rows] == [b"a", b"b"] * 4
    assert [row["input_ordinal"] for row in rows] == [0] * 4 + [1] * 4
    assert [row["record_ordinal"] for row in rows] == list(range(8))


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.fa"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(FASTA,))
    writer.start()
    assert read_files(pipe) == read_files(write(tmp_path, FASTA))
    writer.join()


def test_the_null_device_is_an_empty_file() -> None:
    with pytest.raises(InputError, match="null: the file is empty"):
        read_files(Path(os.devnull))


BOMBS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize(
    ("compression", "head"),
    [("gzip", b">"), ("gzip", b"@a\n"), ("gzip", b""), *((name, b">a\n") for name in BOMBS)],
)
def test_memory_is_bounded_whatever_a_file_unpacks_to(tmp_path: Path, compression: str, head: bytes) -> None:
    size = 200_000_000
    file = write(tmp_path, BOMBS[compression](head + (b"A" if head else b"\n") * size))
    assert file.stat().st_size < size / 500
    limits = Limits(bases=1_000_000, fastq_record_bytes=1_000_000)
    tracemalloc.start()
    with pytest.raises(InputError):
        list(frame_batches([ReadInput(file, "in.fa")], chunk_length=500, limits=limits))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2
