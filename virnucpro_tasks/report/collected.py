"""Collects the facts of the report page about many records, while their tables are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.output.record_numbers import CALLED, RecordNumbers
from virnucpro_tasks.report.records import (
    DOUBTFUL_ROWS,
    LOWEST,
    MOST_ROWS,
    STRONGEST_ROWS,
    Records,
    RecordSums,
    read_records,
    records_of_rows,
)
from virnucpro_tasks.report.rows import RECORD_FIELDS, read_rows_at

RECORDS_AT_ONCE = 8_192
"""Records whose numbers are kept until they are summed up: for few it takes as long as for many."""


class CollectedRecords:
    """Sums over the records of a job, and the places in records.tsv of those that a page may show.

    So the whole table need not be read again. Memory does not grow with the records.
    """

    def __init__(self, *, most_shown: int) -> None:
        self._sums = RecordSums()
        self._waiting: list[RecordNumbers] = []
        self._count = 0
        self._most_shown = most_shown
        self._strongest = _Best(STRONGEST_ROWS)
        self._doubtful = _Best(DOUBTFUL_ROWS + most_shown)

    def add(self, numbers: RecordNumbers) -> None:
        """Take the records that follow into account."""
        self._waiting.append(numbers)
        self._count += len(numbers)
        if self._count >= RECORDS_AT_ONCE:
            self._sum_up()

    def _sum_up(self) -> None:
        numbers = RecordNumbers.joined(self._waiting)
        self._waiting, self._count = [], 0
        places = np.arange(len(numbers)) + self._sums.total + 1
        self._sums.count(
            length=numbers.length,
            status=numbers.status,
            call=numbers.call,
            level=numbers.level,
            scored_fraction=numbers.scored_fraction,
            score=numbers.score,
        )
        virus = np.flatnonzero(numbers.call == CALLED.index("virus"))
        level, score, length = numbers.level[virus], -numbers.score[virus], -numbers.length[virus]
        self._strongest.add(level, score, -numbers.scored_chunks[virus], length, places[virus])
        low = level == LOWEST
        self._doubtful.add(length[low], score[low], places[virus][low])

    def records(self, table: Path) -> Records:
        """Return what `read_records` finds in `table`, records.tsv of these records, which was just written."""
        if self._waiting:
            self._sum_up()
        sums = self._sums
        if sums.total > MOST_ROWS:
            places = sorted({*self._strongest.places(), *self._doubtful.places()})
            rows = read_rows_at(table, RECORD_FIELDS, places, total=sums.total)
            if rows is not None:
                return records_of_rows(rows, table, sums, most_shown=self._most_shown)
        return read_records(table, most_shown=self._most_shown)


class _Best:
    """The places of the `most` records that come first by their keys, of which the last is the place."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[Sequence[npt.NDArray[np.float64] | npt.NDArray[np.int64]]] = []
        self._count = 0
        self._bounds: tuple[float, float] | None = None

    def add(self, *keys: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> None:
        """Take records into account, each of which has an entry in all `keys`, of which there are two at least."""
        if self._bounds is not None:
            first, second = self._bounds
            may_be = (keys[0] < first) | ((keys[0] == first) & (keys[1] <= second))
            keys = tuple(column[may_be] for column in keys)
        if len(keys[0]):
            self._kept.append(keys)
            self._count += len(keys[0])
        if self._count > 4 * self._most:
            best = self._best()
            self._kept = [best]
            self._count = len(best[0])
            # What comes behind the last of them is never among the best: it need not be sorted.
            self._bounds = best[0][-1], best[1][-1]

    def places(self) -> list[int]:
        return self._best()[-1].tolist() if self._kept else []

    def _best(self) -> Sequence[npt.NDArray[np.float64] | npt.NDArray[np.int64]]:
        together = [np.concatenate(columns) for columns in zip(*self._kept, strict=True)]
        order = np.lexsort(together[::-1])[: self._most]
        return [column[order] for column in together]
