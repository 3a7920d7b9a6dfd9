"""Sorting more lines than fit into memory: sorted runs in files, merged at the end."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from virnucpro_tasks.system.file_operations import persistently

RUN_LINES = 500_000
"""Lines held in memory before a run is written."""


def _key(line: bytes) -> bytes:
    return line.partition(b"\t")[0]


def _opened(run: Path) -> BinaryIO:
    return persistently(lambda: run.open("rb"))


class SortedLines:
    """Collects lines and gives them back sorted by the bytes before their first tab; equal ones keep their order.

    For UTF-8 that is the order of text by code points. Runs are files in `folder`; `lines` removes them.
    """

    def __init__(self, folder: Path, *, run_lines: int = RUN_LINES) -> None:
        self._folder = folder
        self._run_lines = run_lines
        self._held: list[bytes] = []
        self._runs: list[Path] = []

    def extend(self, lines: list[bytes]) -> None:
        """Add lines, each with its line end."""
        self._held.extend(lines)
        if len(self._held) >= self._run_lines:
            run = self._folder / f".sorted.{len(self._runs)}.tmp"
            self._held.sort(key=_key)
            with persistently(lambda: run.open("wb")) as target:
                target.writelines(self._held)
            self._runs.append(run)
            self._held = []

    def lines(self) -> Iterator[bytes]:
        """All lines in order; to be read to the end, once."""
        self._held.sort(key=_key)
        with ExitStack() as stack:
            files: list[BinaryIO] = [stack.enter_context(_opened(run)) for run in self._runs]
            yield from heapq.merge(*files, self._held, key=_key)
        for run in self._runs:
            run.unlink()
