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

RUN_BYTES = 64 * 2**20
"""Bytes of lines held in memory before a run is written."""


def _key(line: bytes) -> bytes:
    return line.partition(b"\t")[0]


def _without_key(line: bytes) -> bytes:
    return line.partition(b"\t")[2]


def _opened(run: Path) -> BinaryIO:
    return persistently(lambda: run.open("rb"))


class SortedLines:
    """Collects lines and gives them back sorted by the bytes before their first tab; equal ones keep their order.

    For UTF-8 that is the order of text by code points. With `has_key` these bytes are a key to sort by, which is not
    given back. Runs are files beside `file` that begin with its name; `lines` removes them.
    """

    def __init__(
        self, file: Path, *, has_key: bool = False, run_lines: int = RUN_LINES, run_bytes: int = RUN_BYTES
    ) -> None:
        self._file = file
        self._has_key = has_key
        self._run_lines = run_lines
        self._run_bytes = run_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._runs: list[Path] = []

    def extend(self, lines: list[bytes]) -> None:
        """Add lines, each with its line end."""
        self._held.extend(lines)
        self._held_bytes += sum(map(len, lines))
        if len(self._held) >= self._run_lines or self._held_bytes >= self._run_bytes:
            run = self._file.with_name(f".{self._file.name}.{len(self._runs)}.tmp")
            self._held.sort(key=_key)
            with persistently(lambda: run.open("wb")) as target:
                target.writelines(self._held)
            self._runs.append(run)
            self._held, self._held_bytes = [], 0

    def lines(self) -> Iterator[bytes]:
        """All lines in order; to be read to the end, once."""
        self._held.sort(key=_key)
        if not self._runs:
            yield from map(_without_key, self._held) if self._has_key else self._held
            return
        with ExitStack() as stack:
            files: list[BinaryIO] = [stack.enter_context(_opened(run)) for run in self._runs]
            found = heapq.merge(*files, self._held, key=_key)
            yield from map(_without_key, found) if self._has_key else found
        for run in self._runs:
            run.unlink()
