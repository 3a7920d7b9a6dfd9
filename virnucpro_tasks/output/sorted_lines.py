"""Sorting more lines than fit into memory: sorted runs in files, merged at the end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from operator import le
from pathlib import Path
from typing import BinaryIO

from virnucpro_tasks.output.fields import LINE_END, SEPARATOR
from virnucpro_tasks.system.file_operations import persistently

RUN_BYTES = 2 * 2**20
"""Bytes of lines held in memory before a run is written; sorting them takes some times as much."""

BLOCK_BYTES = 2**16
"""Bytes of each run that are in memory while runs are merged, and the rest of a line."""

MOST_RUNS = 32
"""Runs of one size that are merged to a larger one, so that few files are open in the end."""


class SortedLines:
    """Collects lines and gives them back sorted by the bytes before their first tab; equal ones keep their order.

    For UTF-8 that is the order of text by code points. With `has_key` these bytes are a key to sort by, which is not
    given back. Runs are files beside `file` that begin with its name; `pieces` removes them.
    """

    def __init__(
        self, file: Path, *, has_key: bool = False, run_bytes: int = RUN_BYTES, most_runs: int = MOST_RUNS
    ) -> None:
        self._file = file
        self._has_key = has_key
        self._run_bytes = run_bytes
        self._most_runs = most_runs
        self._held: list[bytes] = []
        self._held_bytes = 0
        # By size, the smallest first; of one size in the order of their lines.
        self._runs: list[list[Path]] = [[]]
        self._written = 0

    def extend(self, pieces: list[bytes]) -> None:
        """Add lines, each with its line end, in pieces of any number of them."""
        self._held += pieces
        self._held_bytes += sum(map(len, pieces))
        if self._held_bytes >= self._run_bytes:
            self._add_run([self._take_held().sorted()], size=0)

    def pieces(self) -> Iterator[bytes]:
        """All lines in order, in pieces of some of them; to be read to the end, once."""
        runs = [run for same_size in reversed(self._runs) for run in same_size]
        if runs and self._held:
            runs.append(self._run_of([self._take_held().sorted()]))
        for lines in _merged(runs) if runs else [self._take_held().sorted()]:
            yield lines.text(has_key=self._has_key)

    def _take_held(self) -> _Lines:
        held, self._held, self._held_bytes = b"".join(self._held), [], 0
        return _Lines.of(held)

    def _add_run(self, lines: Iterable[_Lines], *, size: int) -> None:
        run = self._run_of(lines)
        if size == len(self._runs):
            self._runs.append([])
        self._runs[size].append(run)
        if len(self._runs[size]) == self._most_runs:
            runs, self._runs[size] = self._runs[size], []
            self._add_run(_merged(runs), size=size + 1)

    def _run_of(self, lines: Iterable[_Lines]) -> Path:
        run = self._file.with_name(f".{self._file.name}.{self._written}.tmp")
        self._written += 1
        with persistently(lambda: run.open("wb")) as target:
            target.writelines(some.text(has_key=False) for some in lines)
        return run


class _Lines:
    """Lines without their line ends, and the bytes before the first tab of each."""

    def __init__(self, lines: list[bytes], keys: list[bytes]) -> None:
        self.lines = lines
        self.keys = keys

    @classmethod
    def of(cls, text: bytes) -> _Lines:
        lines = text.split(LINE_END)
        # What is behind the last line end: nothing.
        lines.pop()
        return cls(lines, [line.partition(SEPARATOR)[0] for line in lines])

    def sorted(self) -> _Lines:
        if all(map(le, self.keys, islice(self.keys, 1, None))):
            return self
        order = sorted(range(len(self.keys)), key=self.keys.__getitem__)
        return _Lines([self.lines[place] for place in order], [self.keys[place] for place in order])

    def take(self, count: int) -> _Lines:
        """The first lines, which are no longer here then."""
        taken = _Lines(self.lines[:count], self.keys[:count])
        del self.lines[:count], self.keys[:count]
        return taken

    def text(self, *, has_key: bool) -> bytes:
        """The lines with their line ends, of those that have a key what is behind it."""
        lines = [line.partition(SEPARATOR)[2] for line in self.lines] if has_key else self.lines
        return LINE_END.join([*lines, b""])


def _merged(runs: list[Path]) -> Iterator[_Lines]:
    """The lines of sorted runs in order, equal ones in that of the runs, which are deleted in the end."""
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(run)) for run in runs]
        blocks = [_block(file) for file in files]
        while any(block.lines for block in blocks):
            yield _next_lines([block for block in blocks if block.lines])
            blocks = [block if block.lines else _block(file) for block, file in zip(blocks, files, strict=True)]
    for run in runs:
        run.unlink()


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
        found.lines += taken.lines
        found.keys += taken.keys
    return found.sorted()


def _block(file: BinaryIO) -> _Lines:
    return _Lines.of(file.read(BLOCK_BYTES) + file.readline())


def _opened(run: Path) -> BinaryIO:
    return persistently(lambda: run.open("rb"))
