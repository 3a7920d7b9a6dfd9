"""FASTA: blocks of bytes to records. Cost is per record and per byte, never per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

from virnucpro_tasks.reads.record import (
    LETTERS,
    UPPER_DNA,
    WHITE_SPACE,
    Limits,
    Record,
    illegal_letter,
    problem_of,
    record_id_of,
)


def fasta_records(blocks: Iterable[bytes], *, line: int, limits: Limits) -> Iterator[Record]:
    """Records of a FASTA file.

    `blocks` have \\n line ends, break anywhere and begin with the first header, which stands on `line`. Memory is that
    of a few blocks and of one record within `limits`.
    """
    ordinal = 0
    held_newline = b""
    unfinished: _Unfinished | None = None
    for block in blocks:
        text = held_newline + block
        # A header is known by the newline before it, so that newline must not be parted from it.
        held_newline = b"\n" if text.endswith(b"\n") else b""
        parts = text.removesuffix(b"\n").split(b"\n>")
        if unfinished is None:
            unfinished = _Unfinished(line, limits)
            parts[0] = parts[0][1:]
        unfinished.feed(parts[0])
        if len(parts) == 1:
            continue
        yield unfinished.record(ordinal)
        ordinal += 1
        line = unfinished.last_line + 1
        for part in parts[1:-1]:
            header, _, body = part.partition(b"\n")
            sequence = body.translate(UPPER_DNA, WHITE_SPACE)
            words = header.split(None, 1)
            if (
                words
                and sequence
                and not sequence.translate(None, LETTERS)
                and len(header) <= limits.header_bytes
                and len(sequence) <= limits.bases
            ):
                yield Record(ordinal, words[0], sequence, line, "", len(sequence))
            else:
                faulty = _Unfinished(line, limits)
                faulty.feed(part)
                yield faulty.record(ordinal)
            ordinal += 1
            line += part.count(b"\n") + 1
        unfinished = _Unfinished(line, limits)
        unfinished.feed(parts[-1])
    if unfinished is not None:
        yield unfinished.record(ordinal)


class _Unfinished:
    """A record that comes in pieces; keeps no more of it than the limits allow."""

    def __init__(self, line: int, limits: Limits) -> None:
        self._line = line
        self._limits = limits
        self._header = b""
        self._header_length = 0
        self._in_header = True
        self._kept = BytesIO()  # unlike a list of pieces it is not copied to become one string
        self._length = 0
        self._illegal = ""
        self.last_line = line

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the record, from behind its '>'."""
        if self._in_header:
            header, newline, piece = piece.partition(b"\n")
            self._header += header[: max(0, self._limits.header_bytes + 1 - len(self._header))]
            self._header_length += len(header)
            if not newline:
                return
            self._in_header = False
            self.last_line += 1
        letters = piece.translate(UPPER_DNA, WHITE_SPACE)
        if not self._illegal and letters.translate(None, LETTERS):
            self._illegal = illegal_letter(piece, line=self.last_line)
        self._length += len(letters)
        if self._illegal or self._length > self._limits.bases:
            self._kept = BytesIO()
        else:
            self._kept.write(letters)
        self.last_line += piece.count(b"\n")

    def record(self, ordinal: int) -> Record:
        """The whole record, once its end is reached."""
        record_id = record_id_of(self._header, self._limits)
        problem = problem_of(
            header_length=self._header_length,
            record_id=record_id,
            length=self._length,
            illegal=self._illegal,
            limits=self._limits,
        )
        sequence = b"" if problem else self._kept.getvalue()
        return Record(ordinal, record_id, sequence, self._line, problem, self._length)
