"""Finds records in FASTA and FASTQ by their number and reads them as they are written; others are only counted."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

from virnucpro_tasks.reads.letters import WHITE_SPACE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FASTQ_LINES = 4

_HEAD = b"\n>"
"""Ends a line and begins the header of a FASTA record."""

_BLANK_LINE = re.compile(rb"\n[\n \t\v\f]")
"""Begins a line that may be blank: such lines may stand between FASTQ records."""

_DOT_AS_N = bytes.maketrans(b".", b"N")
"""Translation of the no-calls of older Illumina software, which FASTA does not have."""


class Original(NamedTuple):
    """A record as in its file: the whole header without its first character, and its letters without white space."""

    header: bytes
    sequence: bytes


ALL_RECORDS = range(sys.maxsize)
"""Numbers of any records."""


@dataclass(slots=True)
class Wanted:
    """The records that a reader is to give next: `numbers` count from 0 over all inputs, in order.

    Once the reader has given them all, the caller sets others, which come behind. `passed` counts the records that the
    reader has found so far; those that are not wanted are never split up.
    """

    numbers: Sequence[int] = ()
    passed: int = 0
    given: int = field(default=0, init=False)

    def set(self, numbers: Sequence[int]) -> None:
        """Want these records, now that those wanted before were given."""
        self.numbers, self.given = numbers, 0

    def is_within(self, count: int) -> bool:
        """Whether a wanted record is among so many that follow."""
        return self.given < len(self.numbers) and self.numbers[self.given] < self.passed + count

    def take(self) -> Sequence[int]:
        """The wanted numbers of records that were passed; they count as given."""
        start = self.given
        self.given = bisect_left(self.numbers, self.passed, start)
        return self.numbers[start : self.given]


def fasta_originals(blocks: Iterable[bytes], wanted: Wanted) -> Iterator[list[Original]]:
    """Yield the wanted records of a FASTA file, some at a time; with the last of them the caller sets the next numbers.

    `blocks` are as in `fasta_records`, which finds the same records. Memory is that of a few blocks and one record.
    """
    # Imported here: commands that read no sequence need no numpy.
    import numpy as np

    held_newline = b"\n"
    unfinished: _Unfinished | None = None
    for block in blocks:
        text = held_newline + block
        held_newline = b"\n" if text.endswith(b"\n") else b""
        text = text.removesuffix(b"\n")
        heads = _heads(text)
        if unfinished is not None:
            unfinished.feed(text[: heads[0]] if len(heads) else text)
            if not len(heads):
                continue
            yield [unfinished.original()]
            unfinished = None
        first = wanted.passed
        wanted.passed += len(heads)
        while numbers := wanted.take():
            places = np.asarray(numbers) - first
            starts, ends = (heads[places] + len(_HEAD)).tolist(), np.append(heads, len(text))[places + 1].tolist()
            is_last = numbers[-1] + 1 == wanted.passed
            if is_last:
                # It may go on in the next block.
                unfinished = _Unfinished()
                unfinished.feed(text[starts.pop() :])
            if starts:
                yield _originals([text[start:end] for start, end in zip(starts, ends, strict=False)])
            if is_last:
                break
    if unfinished is not None:
        yield [unfinished.original()]


def _originals(records: Sequence[bytes]) -> list[Original]:
    """Whole FASTA records, at least one, each given behind its first character."""
    # Column by column: one record after another takes longer than reading the file.
    headers, _, bodies = zip(*map(bytes.partition, records, repeat(b"\n")), strict=True)
    sequences = list(map(bytes.replace, bodies, repeat(b"\n"), repeat(b"")))
    letters = b"".join(sequences)
    if any(space in letters for space in WHITE_SPACE):
        sequences = [sequence.translate(None, WHITE_SPACE) for sequence in sequences]
    # As `Original` makes them, without a call of a Python function for each.
    return list(map(tuple.__new__, repeat(Original), zip(headers, sequences, strict=True)))


def _heads(text: bytes) -> npt.NDArray[np.intp]:
    """Places of the line ends before a header. Searching for both letters, or splitting, takes ten times as long."""
    import numpy as np

    letters = np.frombuffer(text, np.uint8)
    before = np.flatnonzero(letters[1:] == _HEAD[1])
    return before[letters[before] == _HEAD[0]]


@dataclass(slots=True)
class _Unfinished:
    """A FASTA record that arrives in pieces; the first ones are those after its '>'."""

    header: bytes = b""
    has_whole_header: bool = False
    letters: BytesIO = field(default_factory=BytesIO)

    def feed(self, piece: bytes) -> None:
        if not self.has_whole_header:
            begin, newline, piece = piece.partition(b"\n")
            self.header += begin
            self.has_whole_header = bool(newline)
        self.letters.write(piece.translate(None, WHITE_SPACE))

    def original(self) -> Original:
        return Original(self.header, self.letters.getvalue())


def fastq_originals(blocks: Iterable[bytes], wanted: Wanted) -> Iterator[list[Original]]:
    """Yield the wanted records of a FASTQ file, as `fasta_originals` does; a no-call written as '.' becomes N.

    Finds the records of `fastq_records`, which has checked the file: what is malformed is not noticed here.
    """
    rest = b""
    for block in chain(blocks, (None,)):
        text = rest + (block or b"")
        is_plain = block is not None and not text[:1].isspace() and _BLANK_LINE.search(text) is None
        newlines = text.count(b"\n")
        if is_plain and not wanted.is_within(newlines // FASTQ_LINES):
            wanted.passed += newlines // FASTQ_LINES
            rest = text[_start_of_last_lines(text, newlines % FASTQ_LINES) :]
            continue
        lines = text.split(b"\n")
        starts: range | list[int]
        if is_plain:
            end = newlines // FASTQ_LINES * FASTQ_LINES
            starts = range(0, end, FASTQ_LINES)
        else:
            # The last line may go on in the next block.
            starts, end = _record_starts(lines if block is None else lines[:-1], at_end=block is None)
        first = wanted.passed
        wanted.passed += len(starts)
        while numbers := wanted.take():
            wanted_starts = [starts[number - first] for number in numbers]
            yield [
                Original(lines[start][1:], lines[start + 1].translate(_DOT_AS_N, WHITE_SPACE))
                for start in wanted_starts
            ]
        rest = b"\n".join(lines[end:])


def _start_of_last_lines(text: bytes, whole: int) -> int:
    """Place in `text` at which its last lines begin: so many whole ones and the one behind them, which has no end."""
    at = len(text)
    for _ in range(whole + 1):
        at = text.rfind(b"\n", 0, at)
    return at + 1


def _record_starts(lines: list[bytes], *, at_end: bool) -> tuple[list[int], int]:
    """The first line of each record among lines of which some are blank, and the line behind the last record.

    At the end of the file the last record may lack its last line, which is then an empty one.
    """
    least = FASTQ_LINES - 1 if at_end else FASTQ_LINES
    starts = []
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
        elif at + least <= len(lines):
            starts.append(at)
            at += FASTQ_LINES
        else:
            break
    return starts, at
