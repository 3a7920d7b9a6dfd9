"""Sorting more lines than fit into memory: sorted runs in files, merged at the end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from itertools import islice, pairwise
from operator import le
from pathlib import Path
from typing import BinaryIO

from virnucpro_tasks.output.fields import LINE_END, SEPARATOR, text_of
from virnucpro_tasks.system.file_operations import persistently

RUN_BYTES = 2 * 2**20
"""Bytes of lines held in memory before they are written to a run; sorting them takes some times as much."""

BLOCK_BYTES = 2**16
"""Bytes of each run that are in memory while runs are merged, and the rest of a line."""

KEY_BLOCK_BYTES = 2**13
"""Bytes of its keys that are in memory then, with their lines, if keys are in a file of their own."""

MOST_RUNS = 32
"""Runs of one size that are merged to a larger one, so that few files are open in the end."""


class SortedLines:
    """Collects lines and gives them back sorted by the bytes before their first tab; equal ones keep their order.

    For UTF-8 that is the order of text by code points. With `has_keys` each piece of lines comes behind two others, as
    `keyed_pieces` makes them, with keys that they are sorted by; lines that come in this order are copied, not taken
    apart. Runs are files beside `file` that begin with its name; `pieces` removes them.
    """

    def __init__(
        self, file: Path, *, has_keys: bool = False, run_bytes: int = RUN_BYTES, most_runs: int = MOST_RUNS
    ) -> None:
        self._file = file
        self._has_keys = has_keys
        self._run_bytes = run_bytes
        self._most_runs = most_runs
        self._held: list[bytes] = []
        self._held_bytes = 0
        # By size, the smallest first; of one size in the order of their lines.
        self._runs: list[list[_Run]] = [[]]
        self._last_key = b""
        self._written = 0

    def extend(self, pieces: list[bytes]) -> None:
        """Add lines, each with its line end, in pieces of any number of them."""
        self._held += pieces
        self._held_bytes += sum(map(len, pieces))
        if self._held_bytes >= self._run_bytes:
            self._write_held()

    def pieces(self) -> Iterator[bytes]:
        """All lines in order, in pieces of some of them; to be read to the end, once."""
        if not any(self._runs):
            yield self._take_held().text
            return
        self._write_held()
        runs = [run for same_size in reversed(self._runs) for run in same_size]
        if len(runs) == 1:
            yield from runs[0].content()
        else:
            yield from (lines.text for lines in _merged(runs))

    def _take_held(self) -> _SortedText:
        """Return the held lines, sorted."""
        held, self._held, self._held_bytes = self._held, [], 0
        if not self._has_keys:
            text = b"".join(held)
            return _SortedText.of(_first_fields(text), text)
        orders, pieces, text = held[::3], held[1::3], b"".join(held[2::3])
        keys = b"".join(pieces)
        if all(orders):
            edges = [(_first_line(piece), _last_line(piece)) for piece in pieces if piece]
            if edges and all(one[1] <= other[0] for one, other in pairwise(edges)):
                return _SortedText(edges[0][0], edges[-1][1], keys, text)
        return _SortedText.of(_without_ends(keys), text)

    def _write_held(self) -> None:
        """Write what is held, behind the last run if it goes on there, else as another one."""
        held = self._take_held()
        if not held.text:
            return
        if not self._runs[0] or held.first < self._last_key:
            another = self._next_run(size=0)
            self._runs[0].append(another)
        self._runs[0][-1].extend(held.keys, held.text)
        self._last_key = held.last

    def _next_run(self, *, size: int) -> _Run:
        """Another run of `size`, still empty; if there are too many of this size, they are merged before."""
        if size == len(self._runs):
            self._runs.append([])
        if len(self._runs[size]) == self._most_runs:
            larger = self._next_run(size=size + 1)
            for lines in _merged(self._runs[size]):
                larger.extend(text_of(lines.keys), lines.text)
            self._runs[size + 1].append(larger)
            self._runs[size] = []
        name = f".{self._file.name}.{self._written}"
        self._written += 1
        keys = self._file.with_name(f"{name}.keys.tmp") if self._has_keys else None
        return _Run(self._file.with_name(f"{name}.tmp"), keys)


def keyed_pieces(keys: list[bytes], lines: list[bytes]) -> list[bytes]:
    """Lines without their ends as pieces for `SortedLines`: whether the keys are in order, the keys, and the lines."""
    return [_IN_ORDER if _are_in_order(keys) else b"", text_of(keys), text_of(lines)]


_IN_ORDER = b"in order"


@dataclass(frozen=True, slots=True)
class _SortedText:
    """Sorted lines as one text, their first and last key, and all keys as lines."""

    first: bytes
    last: bytes
    keys: bytes
    text: bytes

    @classmethod
    def of(cls, keys: list[bytes], text: bytes) -> _SortedText:
        """Those of lines in any order."""
        if not keys:
            return cls(b"", b"", b"", b"")
        if not _are_in_order(keys):
            lines = _Lines(keys, BytesIO(text).readlines()).sorted()
            keys, text = lines.keys, lines.text
        return cls(keys[0], keys[-1], text_of(keys), text)


@dataclass(frozen=True, slots=True)
class _Run:
    """Sorted lines in a file, and their keys in another one; without that these are the first fields of the lines."""

    text: Path
    keys: Path | None

    def extend(self, keys: bytes, text: bytes) -> None:
        """Write lines, and their keys as lines, behind those there are."""
        _append(self.text, text)
        if self.keys is not None:
            _append(self.keys, keys)

    def content(self) -> Iterator[bytes]:
        """The lines in pieces of any size. The files are deleted in the end."""
        with _opened(self.text) as text:
            while block := text.read(BLOCK_BYTES):
                yield block
        self.remove()

    def remove(self) -> None:
        for file in (self.text, self.keys):
            if file is not None:
                file.unlink()


@dataclass(frozen=True, slots=True)
class _OpenRun:
    """A run that is being read."""

    text: BinaryIO
    keys: BinaryIO | None

    @classmethod
    def of(cls, run: _Run, stack: ExitStack) -> _OpenRun:
        """Open the files of `run` until the end of `stack`."""
        text = stack.enter_context(_opened(run.text))
        return cls(text, None if run.keys is None else stack.enter_context(_opened(run.keys)))

    def block(self) -> _Lines:
        """The next lines; none at the end."""
        if self.keys is None:
            text = self.text.read(BLOCK_BYTES) + self.text.readline()
            return _Lines(_first_fields(text), BytesIO(text).readlines())
        keys = _without_ends(self.keys.read(KEY_BLOCK_BYTES) + self.keys.readline())
        return _Lines(keys, list(islice(self.text, len(keys))))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Keys, and the lines that they are of, each with its line end."""

    keys: list[bytes]
    lines: list[bytes]

    @property
    def text(self) -> bytes:
        return b"".join(self.lines)

    def sorted(self) -> _Lines:
        if _are_in_order(self.keys):
            return self
        order = sorted(range(len(self.keys)), key=self.keys.__getitem__)
        return _Lines([self.keys[place] for place in order], [self.lines[place] for place in order])

    def take(self, count: int) -> _Lines:
        """The first lines, which are no longer here then."""
        taken = _Lines(self.keys[:count], self.lines[:count])
        del self.keys[:count], self.lines[:count]
        return taken


def _are_in_order(keys: list[bytes]) -> bool:
    return all(map(le, keys, islice(keys, 1, None)))


def _first_line(text: bytes) -> bytes:
    """The first of some lines, without its end."""
    return text[: text.index(LINE_END)]


def _last_line(text: bytes) -> bytes:
    """The last of some lines, without its end."""
    return text[text.rfind(LINE_END, 0, -1) + 1 : -1]


def _first_fields(text: bytes) -> list[bytes]:
    return [line.partition(SEPARATOR)[0] for line in _without_ends(text)]


def _without_ends(text: bytes) -> list[bytes]:
    """Lines without their ends."""
    lines = text.split(LINE_END)
    # What is behind the last line end: nothing.
    lines.pop()
    return lines


def _merged(runs: list[_Run]) -> Iterator[_Lines]:
    """The lines of sorted runs in order, equal ones in that of the runs, which are deleted in the end."""
    with ExitStack() as stack:
        opened = [_OpenRun.of(run, stack) for run in runs]
        blocks = [run.block() for run in opened]
        while any(block.keys for block in blocks):
            yield _next_lines([block for block in blocks if block.keys])
            blocks = [block if block.keys else run.block() for block, run in zip(blocks, opened, strict=True)]
    for run in runs:
        run.remove()


def _next_lines(blocks: list[_Lines]) -> _Lines:
    """Take from the blocks that sorted runs go on with, none of them empty, all lines that no later one comes before.

    One block at least is taken as a whole.
    """
    bound = min(block.keys[-1] for block in blocks)
    ended = next(place for place, block in enumerate(blocks) if block.keys[-1] == bound)
    found = _Lines([], [])
    for place, block in enumerate(blocks):
        # The run of the block that ends may go on with equal keys: those of later runs come behind them.
        count = (bisect_right if place <= ended else bisect_left)(block.keys, bound)
        taken = block.take(count)
        found.lines.extend(taken.lines)
        found.keys.extend(taken.keys)
    return found.sorted()


def _append(file: Path, content: bytes) -> None:
    with persistently(lambda: file.open("ab")) as target:
        target.write(content)


def _opened(file: Path) -> BinaryIO:
    return persistently(lambda: file.open("rb"))
