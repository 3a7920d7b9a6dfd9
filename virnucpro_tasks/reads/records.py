"""Reads the records of an input file, FASTA or FASTQ as its content tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from virnucpro_tasks.errors import EmptyInputError, InputError
from virnucpro_tasks.reads.contents import has_sequence_line, refuse_headers_alone, refuse_other_contents
from virnucpro_tasks.reads.fasta import fasta_records
from virnucpro_tasks.reads.fastq import fastq_records
from virnucpro_tasks.reads.hints import shell_name
from virnucpro_tasks.reads.layouts import column_hint, layout_of, separated_by
from virnucpro_tasks.reads.letters import OUR_LETTERS, LetterRule
from virnucpro_tasks.reads.originals import Original, Wanted, fasta_originals, fastq_originals
from virnucpro_tasks.reads.record import BYTE_ORDER_MARK, Limits, Record, illegal_letter, shown
from virnucpro_tasks.reads.signatures import HEAD_BYTES, refuse_other_formats
from virnucpro_tasks.reads.sources import ByteStream

__all__ = ["Limits", "Record", "read_records", "read_start"]

BLOCK_BYTES = 4 * 2**20
_SHOWN_START = 60
_HEADER = re.compile(rb"\n(>)")
_HEADER_OR_READ = re.compile(rb"\n([>@])")


def read_records(stream: ByteStream, *, name: str, limits: Limits | None = None) -> Iterator[Record]:
    """Yield every record of a stream in order; an invalid one has its `problem` set.

    Accepts \n, \r\n and \r line ends, a UTF-8 byte order mark, blank lines and white space inside sequences. Raises
    EmptyInputError if there is nothing but white space, and InputError with `name` and the line if the stream is
    neither FASTA nor four-line FASTQ.
    """
    yield from read_start(stream, name=name).records(limits or Limits())


@dataclass(slots=True)
class Start:
    """The first block of a stream from its first header on, which is on `line`, and the blocks after it."""

    text: bytes
    blocks: Iterator[bytes]
    line: int
    name: str

    @property
    def is_fasta(self) -> bool:
        return self.text.startswith(b">")

    def records(self, limits: Limits, rule: LetterRule = OUR_LETTERS) -> Iterator[Record]:
        """Yield all records, once."""
        blocks = chain((self.text,), self.blocks)
        if self.is_fasta:
            return fasta_records(blocks, line=self.line, limits=limits, rule=rule)
        return fastq_records(blocks, line=self.line, name=self.name, limits=limits, rule=rule)

    def originals(self, wanted: Wanted) -> Iterator[list[Original]]:
        """Yield the wanted records as they are written in the file, some at a time, once."""
        blocks = chain((self.text,), self.blocks)
        return (fasta_originals if self.is_fasta else fastq_originals)(blocks, wanted)

    def refuse_other_contents(self, *, of_any_letters: bool = False) -> None:
        """Raise InputError if this is FASTA of headers alone, or but for `of_any_letters` of other than nucleotides."""
        if not self.is_fasta:
            return
        if not of_any_letters:
            refuse_other_contents(self.text, name=self.name, line=self.line)
        if not has_sequence_line(self.text):
            second = next(self.blocks, b"")
            if not second:
                refuse_headers_alone(self.text, name=self.name, line=self.line)
            self.blocks = chain((second,), self.blocks)


def read_start(stream: ByteStream, *, name: str) -> Start:
    """Read a stream up to its first header. Raises the errors of `read_records`."""
    blocks = _blocks(stream)
    line = 1
    start = next(blocks, b"").removeprefix(BYTE_ORDER_MARK)
    while not (text := start.lstrip()):
        line += start.count(b"\n")
        try:
            start = next(blocks)
        except StopIteration:
            raise EmptyInputError("the file holds nothing but white space", file=name, line=1) from None
    line += start.count(b"\n", 0, len(start) - len(text))
    # Checked when the file was opened, and again here: a byte order mark or blank lines may have hidden the signature.
    refuse_other_formats(text[:HEAD_BYTES], name=name)
    if not text.startswith((b">", b"@")):
        raise _not_sequences(text, name=name, line=line)
    return Start(text, blocks, line, name)


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
    start = repr(shown(first_line[:_SHOWN_START]))
    if not illegal_letter(first_line, line=line):
        what = (
            f"sequence data before the first header: {start}"
            if b"\n>" in text
            else f"sequence without a header: {start}"
        )
        return InputError(what, file=name, line=line, hint="a FASTA record begins with a line '>id'")
    if found := layout_of(text):
        what, hint = found
        return InputError(
            f"not FASTA or FASTQ: this is {what}", file=name, line=line, hint=hint.format(file=shell_name(name))
        )
    is_comment = first_line.startswith((b";", b"#"))
    if header := (_HEADER_OR_READ if is_comment else _HEADER).search(text):
        header_line = line + text.count(b"\n", 0, header.start()) + 1
        mark, kind = header[1].decode(), "a comment" if is_comment else "text"
        if mark == ">":
            refuse_other_contents(text[header.start(1) :], name=name, line=header_line)
        return InputError(
            f"not FASTA or FASTQ: the file begins with {start}, {kind} before the first '{mark}', which is on line "
            f"{header_line}",
            file=name,
            line=line,
            hint=f"delete all lines before that, for example: sed -n '/^{mark}/,$p' {shell_name(name)} > clean.fasta",
        )
    separator = separated_by(text)
    hint = column_hint(text) if separator == "tab" else "FASTA begins with '>', FASTQ with '@'"
    return InputError(
        f"not FASTA or FASTQ: the file begins with {start}" + (f", a {separator}-separated table" if separator else ""),
        file=name,
        line=line,
        hint=hint.format(file=shell_name(name)),
    )
