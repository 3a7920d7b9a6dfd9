"""Parses FASTA from blocks of bytes. The cost is per record and per byte, not per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

from virnucpro_tasks.reads.letters import OUR_LETTERS, WHITE_SPACE, LetterRule
from virnucpro_tasks.reads.record import (
    Limits,
    Record,
    description_of,
    illegal_letter,
    problem_of,
    record_id_of,
)

HEADER_MARK = b">"


def fasta_records(
    blocks: Iterable[bytes], *, line: int, limits: Limits, rule: LetterRule = OUR_LETTERS
) -> Iterator[Record]:
    """Yield the records of a FASTA file.

    `blocks` have \\n line ends, may end anywhere and begin with the first header, which is on `line` of the file.
    Memory is that of a few blocks and one record within `limits`.
    """
    held_newline = b""
    unfinished: _Unfinished | None = None
    for block in blocks:
        text = held_newline + block
        # A header is found by the newline before it, so a newline at the end waits for the next block.
        held_newline = b"\n" if text.endswith(b"\n") else b""
        parts = text.removesuffix(b"\n").split(b"\n>")
        if unfinished is None:
            unfinished = _Unfinished(line, limits, rule)
            parts[0] = parts[0][1:]
        unfinished.feed(parts[0])
        if len(parts) == 1:
            continue
        yield unfinished.record()
        line = unfinished.last_line + 1
        for part in parts[1:-1]:
            header, _, body = part.partition(b"\n")
            sequence = body.translate(rule.upper, WHITE_SPACE)
            words = header.split(None, 1)
            if (
                words
                and sequence
                and not sequence.translate(None, rule.letters)
                and not sequence.startswith(HEADER_MARK)
                and len(header) <= limits.header_bytes
                and len(sequence) <= limits.bases
            ):
                description = words[1].rstrip() if len(words) > 1 else b""
                yield Record(words[0], sequence, line, "", len(sequence), description=description)
            else:
                faulty = _Unfinished(line, limits, rule)
                faulty.feed(part)
                yield faulty.record()
            line += part.count(b"\n") + 1
        unfinished = _Unfinished(line, limits, rule)
        unfinished.feed(parts[-1])
    if unfinished is not None:
        yield unfinished.record()


class _Unfinished:
    """A record that arrives in pieces; no more of it is kept than the limits allow."""

    def __init__(self, line: int, limits: Limits, rule: LetterRule) -> None:
        self._line = line
        self._rule = rule
        self._limits = limits
        self._header = b""
        self._header_length = 0
        self._in_header = True
        self._kept = BytesIO()  # a list of pieces would be copied once more to be joined
        self._length = 0
        self._illegal = ""
        self.last_line = line

    def feed(self, piece: bytes) -> None:
        """Add the next bytes of the record; the first ones are those after its '>'."""
        if self._in_header:
            header, newline, piece = piece.partition(b"\n")
            self._header += header[: max(0, self._limits.header_bytes + 1 - len(self._header))]
            self._header_length += len(header)
            if not newline:
                return
            self._in_header = False
            self.last_line += 1
        letters = piece.translate(self._rule.upper, WHITE_SPACE)
        if not self._illegal and letters.translate(None, self._rule.letters):
            self._illegal = illegal_letter(piece, line=self.last_line, rule=self._rule)
        self._length += len(letters)
        if self._illegal or self._length > self._limits.bases:
            self._kept = BytesIO()
        else:
            self._kept.write(letters)
        self.last_line += piece.count(b"\n")

    def record(self) -> Record:
        """The record, after all its pieces were fed."""
        record_id = record_id_of(self._header, self._limits)
        kept = self._kept.getvalue()
        if kept.startswith(HEADER_MARK):
            # Behind white space; written into a file of sequences it would be a header.
            self._illegal = f"the sequence begins with '>' on line {self._line + 1}, as a header does"
        problem = problem_of(
            header_length=self._header_length,
            record_id=record_id,
            length=self._length,
            illegal=self._illegal,
            limits=self._limits,
            needs_id=self._rule.needs_id,
        )
        sequence = b"" if problem else kept
        description = description_of(self._header, self._limits)
        return Record(record_id, sequence, self._line, problem, self._length, description=description)
