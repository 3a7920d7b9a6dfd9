"""Hostile inputs beside those of the collection: whole files made here, each read or refused in the same words."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from reads.reading import Reading, read_files

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.records import Limits

ONE = b"ACG" * 40
TWO = b"GCA" * 30
FASTA = b">one text\n" + ONE + b"\n>two\n" + TWO + b"\n"
FASTQ = b"@one text\n%b\n+\n@%b\n@two\n%b\n+two\n>%b\n" % (ONE, b"I" * 119, TWO, b"+" * 89)
LIMITS = Limits(header_bytes=64, bases=200, fastq_record_bytes=1_000, kept_id_bytes=16)
GOOD = [(b"one", "scored", ""), (b"two", "scored", "")]

Rows = list[tuple[bytes, str, str]]
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("in.fa", content)
    return buffer.getvalue()


def spelled(content: bytes, line_ends: list[bytes]) -> bytes:
    """The lines of `content` with these line ends in turn."""
    return b"".join(line + line_ends[at % len(line_ends)] for at, line in enumerate(content.splitlines()))


SAME = {
    "FASTA": FASTA,
    "FASTA with CR": spelled(FASTA, [b"\r"]),
    "FASTA with mixed line ends": spelled(FASTA, [b"\r\n", b"\n", b"\r"]),
    "FASTA ending in blank lines": FASTA + b"\r\n \n\n\t\n",
    "FASTA with blanks in its lines": FASTA.replace(b"ACGACG", b"ACG ACG\t"),
    "FASTA in lower case": b">one text\n" + ONE.lower() + b"\n>two\n" + TWO.lower(),
    "FASTA with a blank before the id": FASTA.replace(b">", b"> "),
    "FASTQ": FASTQ,
    "FASTQ with CR LF": spelled(FASTQ, [b"\r\n"]),
    "FASTQ with CR": spelled(FASTQ, [b"\r"]),
    "FASTQ without final newline": FASTQ.removesuffix(b"\n"),
    "FASTQ with blank lines between": FASTQ.replace(b"\n@two", b"\n\n\n@two"),
} | {f"{name}, {what}": pack(content) for name, pack in COMPRESS.items() for what, content in {
    "one member": FASTA,
    "a byte order mark inside": b"\xef\xbb\xbf" + FASTA,
    "CR LF inside": spelled(FASTA, [b"\r\n"]),
}.items()} | {
    f"{name}, members that part a header": pack(FASTA[:3]) + pack(b"") + pack(FASTA[3:-5]) + pack(FASTA[-5:])
    for name, pack in COMPRESS.items()
}  # fmt: skip

READ: dict[str, tuple[bytes, Rows]] = {
    "duplicate ids": (FASTA + FASTA, GOOD * 2),
    "a last '>' alone": (FASTA + b">", [*GOOD, (b"", "invalid", "empty id and empty sequence (record begins on line 5)")]),
    "a header without an id": (FASTA + b">\n" + ONE, [*GOOD, (b"", "invalid", "empty id (record begins on line 5)")]),
    "ids that are not text": (
        FASTA.replace(b">one", b">\xff\xfe\x80").replace(b">two", b">\x1b[31m\x07"),
        [(b"\xff\xfe\x80", "scored", ""), (b"\x1b[31m\x07", "scored", "")],
    ),
    "a NUL in an id": (FASTA.replace(b">one", b">o\0ne"), [(b"o\0ne", "scored", ""), GOOD[1]]),
    "all N": (FASTA + b">n\n" + b"N" * 90, [*GOOD, (b"n", "no_open_frame", "no unambiguous codon")]),
    "only ambiguity codes": (FASTA + b">r\n" + b"RYKM" * 20, [*GOOD, (b"r", "no_open_frame", "no unambiguous codon")]),
    "U and T mixed": (FASTA + b">u\n" + b"GGUGGT" * 10, [*GOOD, (b"u", "scored", "")]),
    "one base short": (FASTA + b">s\n" + b"G" * 59, [*GOOD, (b"s", "too_short", "length 59, below the minimum of 60 bases")]),
    "a comment between records": (
        FASTA + b"; comment\n>next\n" + ONE,
        [
            GOOD[0],
            (b"two", "invalid", "illegal character ';' on line 5: comments are not read; remove the line (record begins on line 3)"),
            (b"next", "scored", ""),
        ],
    ),
    "a stop at the end": (
        FASTA + b">p\n" + ONE + b"*\n",
        [*GOOD, (b"p", "invalid", "illegal character '*' on line 6: a stop, so this looks like protein (record begins on line 5)")],
    ),
    "numbers before the bases": (
        FASTA + b">g\n  1 " + ONE,
        [*GOOD, (b"g", "invalid", "illegal character '1' on line 6: remove the numbers (record begins on line 5)")],
    ),
    "over the limit of bases": (
        FASTA + b">l\n" + b"A" * 201 + b"\n>last\n" + ONE,
        [
            *GOOD,
            (b"l", "invalid", "the sequence has 201 bases, more than the limit of 200 (record begins on line 5)"),
            (b"last", "scored", ""),
        ],
    ),
    "over the limit of a header": (
        FASTA + b">" + b"h" * 65 + b"\n" + ONE,
        [*GOOD, (b"h" * 16, "invalid", "the header has 65 bytes, more than the limit of 64 (record begins on line 5)")],
    ),
    "a bad FASTQ record": (
        FASTQ + b"@bad\nAC-\n+\nIII\n",
        [
            *GOOD,
            (b"bad", "invalid", "illegal character '-' on line 10: a gap, so this looks like an alignment; remove the gaps (record begins on line 9)"),
        ],
    ),
    "a FASTQ read trimmed to nothing": (FASTQ + b"@e\n\n+\n\n", [*GOOD, (b"e", "invalid", "empty sequence (record begins on line 9)")]),
}  # fmt: skip

REFUSED: dict[str, tuple[bytes, str]] = {
    "'>' alone": (b">", "in.seq, line 1: empty id and empty sequence"),
    "a header alone": (b"\n>a", "in.seq, line 2, record 'a': empty sequence"),
    "a comment first": (b";c\n" + FASTA, "in.seq, line 1: not FASTA or FASTQ: the file begins with ';c'"),
    "UTF-16": (FASTA.decode().encode("utf-16"), "in.seq, line 1: this is text in UTF-16"),
    "GenBank": (b"LOCUS       X 120 bp\nORIGIN\n        1 acgt\n", "in.seq: this is a GenBank file"),
    "SAM": (b"@HD\tVN:1.6\n", "in.seq: this is a SAM file"),
    "SAM without a header": (b"r1\t0\tchr1\t1\t60\t4M\t*\t0\t0\tACGT\tIIII\n", "in.seq, line 1: not FASTA or FASTQ"),
    "protein": (b">p\nMKTAYIAKQRQISFVK\n", "in.seq, line 1, record 'p': illegal character 'I' on line 2: this looks like protein"),
    "zip": (zipped(FASTA), "in.seq: this is a zip archive"),
    "zip in gzip": (gzip.compress(zipped(FASTA)), "in.seq: this is a zip archive"),
    "nothing in gzip": (gzip.compress(b""), "in.seq: the file is empty once unpacked"),
    "white space in gzip": (gzip.compress(b"\r\n\n"), "in.seq, line 1: the file holds nothing but white space"),
    "gzip in gzip": (gzip.compress(gzip.compress(FASTA)), "in.seq: the file is compressed twice: gzip inside gzip"),
    "FASTQ cut off in its header": (FASTQ + b"@thr", "in.seq, line 9, record 'thr': the file ends inside a FASTQ record"),
    "FASTQ cut off in its bases": (FASTQ + b"@three\nAC", "in.seq, line 9, record 'three': the file ends inside"),
    "FASTQ cut off in its qualities": (FASTQ[:-9], "in.seq, line 8, record 'two': 90 bases but 82 quality values"),
    "FASTQ of several lines a record": (b"@m\nAC\nGT\n+\nII\nII\n", "in.seq, line 3, record 'm': the third line"),
    "FASTQ after FASTA lines": (FASTQ + FASTA, "in.seq, line 9: a FASTQ header must begin with '@', not '>one text'"),
    "FASTQ over the limit of a record": (b"@l\n" + b"A" * 5_000_000, "in.seq, line 1: a FASTQ record has more than 1,000 bytes"),
} | {f"{name}, {what}": (content, f"in.seq: {message.format(name)}") for name, pack in COMPRESS.items() for what, content, message in (
    ("cut off", pack(os.urandom(999).hex().encode())[:-9], "the {} compressed data ends early"),
    ("cut off in its magic number", pack(FASTA)[:6], "the {} compressed data ends early"),
    ("with something behind it", pack(FASTA) + FASTA, "something else follows the end of the {} compressed data"),
)}  # fmt: skip


def read(folder: Path, content: bytes, **options: object) -> Reading:
    file = folder / "in.seq"
    file.write_bytes(content)
    return read_files(file, limits=LIMITS, **options)


def rows(reading: Reading) -> Rows:
    return [(row["record_id"], row["status"], row["reason"]) for row in reading.ledger]


@pytest.mark.parametrize("kind", SAME)
def test_the_same_two_records_in_any_spelling(tmp_path: Path, kind: str) -> None:
    found = read(tmp_path, SAME[kind])
    assert rows(found) == GOOD
    assert [row["record_length"] for row in found.records] == [120, 90]
    assert found == read(tmp_path, FASTA)


@pytest.mark.parametrize("kind", READ)
def test_every_record_of_a_readable_file_has_its_row(tmp_path: Path, kind: str) -> None:
    content, expected = READ[kind]
    found = read(tmp_path, content)
    assert rows(found) == expected
    assert rows(read(tmp_path, content, batch_bases=1)) == expected


@pytest.mark.parametrize("kind", REFUSED)
def test_an_unreadable_file_is_refused_where_it_breaks(tmp_path: Path, kind: str) -> None:
    content, message = REFUSED[kind]
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(message)


def test_u_reads_as_t_in_one_record_with_both(tmp_path: Path) -> None:
    found = read(tmp_path, b">u\n" + b"GGUggtGGuGGT" * 10 + b"\n>t\n" + b"GGT" * 40)
    assert found.frames_of(0) == found.frames_of(1) != []


def test_a_fifo_is_read_like_a_file(tmp_path: Path) -> None:
    fifo = tmp_path / "in.seq"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(gzip.compress(FASTA),))
    writer.start()
    found = read_files(fifo)
    writer.join()
    assert rows(found) == GOOD


def test_devices_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="null: the file is empty"):
        read_files(Path("/dev/null"))
    with pytest.raises(InputError, match="this is a directory"):
        read_files(tmp_path)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_bad_file_among_good_ones_is_the_one_named(tmp_path: Path, at: int) -> None:
    good, bad = tmp_path / "good.fa", tmp_path / "bad.fa.gz"
    good.write_bytes(FASTA)
    bad.write_bytes(gzip.compress(FASTA)[:-1])
    files = [good, good]
    files.insert(at, bad)
    with pytest.raises(InputError, match=r"^bad\.fa\.gz: the gzip compressed data ends early"):
        read_files(*files)


def test_one_file_given_twice_is_read_twice(tmp_path: Path) -> None:
    file = tmp_path / "in.fa"
    file.write_bytes(FASTA)
    found = read_files(file, file)
    assert rows(found) == GOOD * 2
    assert found.frames_of(0) == found.frames_of(2) != []
