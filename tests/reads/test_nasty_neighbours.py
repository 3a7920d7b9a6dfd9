"""Variants of the collected hostile inputs: read correctly, or the one invalid record is listed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
from pathlib import Path

import pytest
from reads.reading import read_files
from reads.zstd_files import zstd_bytes

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
} | {
    f"{pack.__module__}, members that part a header and a line": b"".join(
        map(pack, (FASTA[:3], b"", FASTA[3:60], FASTA[60:], b""))
    )
    for pack in (gzip.compress, bz2.compress, lzma.compress, zstd_bytes)
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
    "header without an id": (b"> \t\n" + A, "empty id"),
    "header over its limit": (b">a " + b"d" * 70_000 + b"\n" + A, "the header has 70,002 bytes, more than the limit"),
    "sequence over its limit": (b">a\n" + A * 20, "the sequence has 3,600 bases, more than the limit of 3,000"),
}


@pytest.mark.parametrize("kind", INVALID)
def test_one_record_is_listed_and_the_next_one_scored(tmp_path: Path, kind: str) -> None:
    content, reason = INVALID[kind]
    bad, good = read_files(write(tmp_path, content + NEXT), limits=Limits(bases=3_000)).chunks
    assert (bad["status"], good["record_id"], good["status"]) == ("invalid", b"b", "scored")
    assert bad["record_id"] == (b"" if reason == "empty id" else b"a")
    assert reason in bad["reason"]
    assert bad["reason"].endswith("(record begins on line 1)")


OTHERS = {
    "N alone": (b"N" * 90, "no_open_frame", "no unambiguous codon"),
    "ambiguity codes alone": (b"RYKM" * 20, "no_open_frame", "no unambiguous codon"),
    "a stop in every frame": (b"TAAATAGATAGCTATTTATCTATTTA" * 6, "no_open_frame", "no frame without a stop codon"),
    "U and T": (b"GGUggtGGuGGT" * 10, "scored", ""),
    "no sequence line": (b"", "too_short", "empty sequence (record begins on line 1)"),
    "white space alone": (b" \n\t\n", "too_short", "empty sequence (record begins on line 1)"),
    "one base short": (b"G" * 59, "too_short", "length 59, below the minimum of 60 bases"),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("batch_bases", [1, 1_000])
def test_a_valid_record_of_any_letters_has_its_status(tmp_path: Path, kind: str, batch_bases: int) -> None:
    sequence, status, reason = OTHERS[kind]
    row, good = read_files(write(tmp_path, b">a\n" + sequence + NEXT), batch_bases=batch_bases).chunks
    assert (row["record_id"], row["status"], row["reason"]) == (b"a", status, reason)
    assert (good["record_id"], good["status"]) == (b"b", "scored")


@pytest.mark.parametrize("record_id", [b"\xff\xfe", b"a\0b", b"a\x1b[31m", "é\u2003x".encode(), b">a", b"x" * 60_000])
def test_ids_are_kept_byte_for_byte(tmp_path: Path, record_id: bytes) -> None:
    file = write(tmp_path, b">" + record_id + b"\ttext\n" + A + NEXT)
    assert [row["record_id"] for row in read_files(file).chunks] == [record_id, b"b"]


def test_equal_ids_stay_apart_within_and_across_files(tmp_path: Path) -> None:
    file = write(tmp_path, FASTA + FASTA)
    rows = read_files(file, file).chunks
    assert [row["record_id"] for row in rows] == [b"a", b"b"] * 4
    assert [row["input_ordinal"] for row in rows] == [0] * 4 + [1] * 4
    assert [row["record_ordinal"] for row in rows] == list(range(8))


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.fa"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(FASTA),))
    writer.start()
    assert read_files(pipe) == read_files(write(tmp_path, FASTA))
    writer.join()
