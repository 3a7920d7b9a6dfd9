"""Numbers of complete records that the page of a report sums up, as they stand in records.tsv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.output.evidence import LEAST, Evidence, evidence_of
from virnucpro_tasks.output.fields import NOT_AVAILABLE
from virnucpro_tasks.output.merge_rules import RecordRows, covered_bases, record_statuses
from virnucpro_tasks.output.records import RecordSummary, WrittenRecords
from virnucpro_tasks.output.scored import STATUSES, ScoredRows
from virnucpro_tasks.reads.tables import Status

CALLED = ("virus", "others")
"""A call as a number is its place here, or their number without one."""

LEVELS = tuple(Evidence)

_FRACTION_UNITS = 10_000
_NEAR_HALF = 1e-6
"""Distance from the middle between two units within which only the text tells the nearer one."""

_SCORE_UNITS = 10.0 ** np.arange(9, 5, -1)
_FEWER_DECIMALS = np.array([1e-3, 1e-2, 1e-1])
"""Scores from which six digits are one decimal fewer."""
_LEAST_ROUNDED = 1e-4


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Columns from which the numbers of n records follow, (n,) int64 each.

    `status` is a place in STATUSES, `covered` are bases in scored chunks.
    """

    length: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    scored_chunks: npt.NDArray[np.int64]
    covered: npt.NDArray[np.int64]

    @classmethod
    def of_records(cls, records: Sequence[RecordSummary]) -> RecordColumns:
        """Those of complete records."""
        length, scored_chunks, covered = (
            np.array(list(map(attrgetter(name), records)), np.int64)
            for name in ("length", "scored_chunks", "coverage.bases")
        )
        status = np.array([STATUSES.index(record.status) for record in records], np.int64)
        return cls(length, status, scored_chunks, covered)

    @classmethod
    def of_rows(cls, rows: ScoredRows) -> RecordColumns:
        """Those of the records of one shard but for the first and the last, of which it may hold a part only."""
        if not len(rows):
            return cls.of_records(())
        by_record = RecordRows.of(rows)
        inner = slice(1, -1)
        return cls(
            rows.lengths[by_record.firsts[inner]],
            record_statuses(by_record)[inner],
            np.add.reduceat(rows.is_status(Status.SCORED).astype(np.int64), by_record.firsts)[inner],
            covered_bases(by_record)[inner],
        )


@dataclass(frozen=True, slots=True)
class RecordNumbers:
    """Numbers of n records in order, column by column, (n,) each.

    `status` is a place in STATUSES, `call` one in CALLED or their number, and `level`, of called records alone, one in
    LEVELS, all int64; `length` and `scored_chunks` are int64. `scored_fraction` and `score` are float64, rounded as in
    records.tsv; without a call the score is NaN.
    """

    length: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    call: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    scored_chunks: npt.NDArray[np.int64]
    scored_fraction: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]

    @classmethod
    def of(cls, written: WrittenRecords, columns: RecordColumns | None = None) -> RecordNumbers:
        """Those of `written`; of many faster with the `columns` of the same records."""
        if columns is None:
            return cls._of_few(written)
        found = columns
        fraction = found.covered / np.maximum(found.length, 1)
        return cls(
            length=found.length,
            status=found.status,
            call=_calls(written),
            level=_levels(found.scored_chunks, fraction),
            scored_chunks=found.scored_chunks,
            scored_fraction=_rounded(fraction, written.fraction_texts),
            score=_rounded_scores(written.scores, written.score_texts),
        )

    @classmethod
    def _of_few(cls, written: WrittenRecords) -> RecordNumbers:
        """Those of records at the edges of shards, one by one: operations on arrays take longer."""
        levels = [evidence_of(record.scored_chunks, record.scored_fraction) for record in written.records]
        return cls(
            length=np.array([record.length for record in written.records], np.int64),
            status=np.array([STATUSES.index(record.status) for record in written.records], np.int64),
            call=_calls(written),
            level=np.array([LEVELS.index(level) for level in levels], np.int64),
            scored_chunks=np.array([record.scored_chunks for record in written.records], np.int64),
            scored_fraction=np.array(list(map(float, written.fraction_texts)), np.float64),
            score=np.array([np.nan if text == NOT_AVAILABLE else float(text) for text in written.score_texts]),
        )

    @classmethod
    def joined(cls, parts: Sequence[RecordNumbers]) -> RecordNumbers:
        """The numbers of records that follow one another, of at least one part."""
        return cls(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls)))

    def __len__(self) -> int:
        return len(self.length)


def _calls(written: WrittenRecords) -> npt.NDArray[np.int64]:
    """The call of each record as a number (n,)."""
    found = np.where(written.are_virus, CALLED.index("virus"), CALLED.index("others"))
    found[np.isnan(written.scores)] = len(CALLED)
    return found


def _rounded(fractions: npt.NDArray[np.float64], texts: list[bytes]) -> npt.NDArray[np.float64]:
    """Shares of a whole (n,), rounded to four decimals as their `texts` are."""
    scaled = fractions * _FRACTION_UNITS
    rounded: npt.NDArray[np.float64] = np.rint(scaled) / _FRACTION_UNITS
    # Near the middle between two units the product may lie on the other side of it.
    for place in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < _NEAR_HALF).tolist():
        rounded[place] = float(texts[place])
    return rounded


def _rounded_scores(scores: npt.NDArray[np.float64], texts: list[bytes]) -> npt.NDArray[np.float64]:
    """Probabilities (n,), rounded to six digits as their `texts` are; NaN for NaN."""
    units = _SCORE_UNITS[np.searchsorted(_FEWER_DECIMALS, scores, side="right").clip(max=len(_FEWER_DECIMALS))]
    scaled = scores * units
    rounded: npt.NDArray[np.float64] = np.rint(scaled) / units
    is_doubtful = (scores < _LEAST_ROUNDED) | (np.abs(scaled - np.floor(scaled) - 0.5) < _NEAR_HALF)
    for place in np.flatnonzero(is_doubtful).tolist():
        rounded[place] = float(texts[place])
    return rounded


def _levels(scored_chunks: npt.NDArray[np.int64], scored_fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The place in LEVELS that `evidence_of` has for each record."""
    found = np.full(len(scored_chunks), LEVELS.index(Evidence.LOW))
    for level, (chunks, fraction) in reversed(LEAST.items()):
        found[(scored_chunks >= chunks) & (scored_fraction >= fraction)] = LEVELS.index(level)
    return found
