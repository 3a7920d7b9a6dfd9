"""Inputs that are refused as a whole: the message names the file, the line where it breaks and the record."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
from reads.reading import read_files

from virnucpro_tasks.errors import InputError

A = b"ACG" * 60
B = b"GGC" * 60
Q = b"I" * 180
FASTA = b">a text\n" + A + b"\n>b\n" + B + b"\n"
FASTQ = b"@a text\n" + A + b"\n+\n@" + Q[1:] + b"\n@b\n" + B + b"\n+b\n" + Q + b"\n"


def write(folder: Path, content: bytes, name: str = "in.fa") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


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
    "cut inside bases": (FASTQ + b"@c\nAC", "in.fa, line 9, record 'c': the file ends inside a FASTQ record"),
    "zip in gzip": (gzip.compress(b"PK\x03\x04" + bytes(30)), "in.fa: this is a zip archive"),
    "SAM without a header": (b"r1\t0\tchr1\t1\t60\t4M\t*\t0\t0\tACGT\tIIII\n", "in.fa, line 1: not FASTA or FASTQ"),
    "SAM behind a blank line": (b"\n@SQ\tSN:a\tLN:4\n", "in.fa: this is a SAM file"),
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


def test_the_null_device_is_an_empty_file() -> None:
    with pytest.raises(InputError, match="null: the file is empty"):
        read_files(Path(os.devnull))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_bad_file_among_good_ones_is_the_one_named(tmp_path: Path, at: int) -> None:
    good, bad = write(tmp_path, FASTA, "good.fa"), write(tmp_path, gzip.compress(FASTA)[:-1], "bad.fa.gz")
    files = [good, good]
    files.insert(at, bad)
    with pytest.raises(InputError, match=r"^bad\.fa\.gz: the gzip compressed data ends early"):
        read_files(*files)
