"""Other formats are told by their first bytes, and FASTA or FASTQ is not taken for one of them."""

from __future__ import annotations

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.signatures import refuse_other_formats


@pytest.mark.parametrize(
    "head",
    [
        b">a\nACGT\n",
        b"@HD\nACGT\n+\nIIII\n",
        b"@HD 1 of 2\nACGT\n+\nIIII\n",
        b"@SQ1\tx\nACGT\n+\nIIII\n",
        b"\xef\xbb\xbf>a\nACGT\n",
        b">a<b>\nACGT\n",
        b">" + b"x" * 256 + b"ustar",
        b"IDENTIFIER",
        b"",
        b">",
    ],
)
def test_not_another_format(head: bytes) -> None:
    refuse_other_formats(head, name="in.fa")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"@CO\tmade by\n", "a SAM file"),
        (b"@SQ\tSN:chr1\tLN:4\n", "a SAM file"),
        (b"PK\x05\x06" + bytes(18), "an empty zip archive"),
        (b"Rar!\x1a\x07\x00", "a RAR archive"),
        (b"LZIP\x01", "an lzip file"),
        (b"\x04\x22\x4d\x18", "an lz4 file"),
        (b"\x1a\x41\x27\x43", "a 2bit file"),
        (b"PAR1", "a Parquet file"),
        (b"\x7fELF\x02", "a program"),
        (b"CLUSTAL W (1.82)\n", "a CLUSTAL alignment"),
        (b"#NEXUS\n", "a NEXUS file"),
        (b"{\\rtf1\\ansi", "a word processor's document"),
        (b"\r\n <html lang='en'>", "HTML or XML"),
        (b"<?xml version='1.0'?>", "HTML or XML"),
        (b"<b>Not found</b>", "HTML or XML"),
        (b"\xff\xfe@\x00r\x00", "text in UTF-16 or UTF-32"),
        (b"\x00>\x00a", "text in UTF-16 or UTF-32"),
        (b"@\x00r\x00", "text in UTF-16 or UTF-32"),
        (b"\xff\xfe\x00\x00>\x00\x00\x00", "text in UTF-16 or UTF-32"),
    ],
)
def test_another_format_is_named_with_its_file(head: bytes, what: str) -> None:
    with pytest.raises(InputError, match=r"^in\.fa.*: this is ") as caught:
        refuse_other_formats(head, name="in.fa")
    assert f"this is {what}, not" in str(caught.value)
