"""Reads the records of an input file, FASTA or FASTQ as its content tells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.fasta import fasta_records
from virnucpro_tasks.reads.fastq import fastq_records
from virnucpro_tasks.reads.record import BYTE_ORDER_MARK, Limits, Record, illegal_letter, shown
from virnucpro_tasks.reads.signatures import HEAD_BYTES, refuse_other_formats
from virnucpro_tasks.reads.sources import ByteStream

__all__ = ["Limits", "Record", "read_records"]

BLOCK_BYTES = 4 * 2**20
_SHOWN_START = 60


def read_records(stream: ByteStream, *, name: str, limits: Limits | None = None) -> Iterator[Record]:
    """Yield every record of a stream in order; an invalid one has its `problem` set.

    Accepts \\n, \\r\\n and \\r line ends, a UTF-8 byte order mark, blank lines and white space inside sequences. Raises
    InputError with `name` and the line if the stream is neither FASTA nor four-line FASTQ or holds no record.
    """
    limits = limits or Limits()
    blocks = _blocks(stream)
    line = 1
    start = next(blocks, b"").removeprefix(BYTE_ORDER_MARK)
    while not (text := start.lstrip()):
        line += start.count(b"\n")
        try:
            start = next(blocks)
        except StopIteration:
            raise InputError("the file holds nothing but white space", file=name, line=1) from None
    line += start.count(b"\n", 0, len(start) - len(text))
    # Checked when the file was opened, and again here: a byte order mark or blank lines may have hidden the signature.
    refuse_other_formats(text[:HEAD_BYTES], name=name)
    if text.startswith(b">"):
        yield from fasta_records(chain((text,), blocks), line=line, limits=limits)
    elif text.startswith(b"@"):
        yield from fastq_records(chain((text,), blocks), line=line, name=name, limits=limits)
    else:
        raise _not_sequences(text, name=name, line=line)


def _blocks(stream: ByteStream) -> Iterator[bytes]:
    """Blocks of about BLOCK_BYTES, all line ends turned into \\n."""
    held = b""
    while block := _filled(stream):
        block = held + block
        held = b""
        if b"\r" in block:
            if block.endswith(b"\r"):
                # The \n of a \r\n may come with the next block.
                block, held = block[:-1], b"\r"
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if block:
            yield block
    if held:
        yield b"\n"


def _filled(stream: ByteStream) -> bytes:
    pieces = []
    missing = BLOCK_BYTES
    while missing > 0 and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _not_sequences(text: bytes, *, name: str, line: int) -> InputError:
    first_line = text.partition(b"\n")[0]
    start = shown(first_line[:_SHOWN_START])
    if not illegal_letter(first_line, line=line):
        if b"\n>" in text:
            return InputError(
                f"sequence data before the first header: {start!r}",
                file=name,
                line=line,
                hint="a FASTA record begins with a line '>id'",
            )
        return InputError(
            f"sequence without a header: {start!r}",
            file=name,
            line=line,
            hint="a FASTA record begins with a line '>id'",
        )
    return InputError(
        f"not FASTA or FASTQ: the file begins with {start!r}",
        file=name,
        line=line,
        hint="FASTA begins with '>', FASTQ with '@'",
    )
