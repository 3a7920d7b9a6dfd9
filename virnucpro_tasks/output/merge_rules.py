"""Rules by which values of a record are computed from its chunk rows and merged over shards.

A record may be spread over many shards. Each value is gathered for the part of it in one shard, then merged with those
of the parts before. A dataclass declares its values by the functions of this module that return a field.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.record_score import RecordLogOdds, SegmentSums, joined_log_odds, records_log_odds
from virnucpro_tasks.output.scored import STATUSES, ScoredNumbers, ScoredRows
from virnucpro_tasks.reads.tables import Status

T = TypeVar("T")

RULE = "rule"
"""Key of a field's metadata."""

_RANKED = (
    Status.SCORED,
    Status.PARTIAL_FRAME,
    Status.QUARANTINED,
    Status.NO_OPEN_FRAME,
    Status.TOO_SHORT,
    Status.INVALID,
)
"""A record has the first of these statuses that any of its rows has."""

_RANKS = np.array([_RANKED.index(status) for status in STATUSES])
_PLACES_OF_RANKS = np.array([STATUSES.index(status) for status in _RANKED])

NO_BOUND = -1
"""Bound of a row that is not a scored chunk."""


def first_rows(rows: ScoredNumbers) -> npt.NDArray[np.intp]:
    """The first row of each record in `rows`, which must not be empty."""
    return np.flatnonzero(np.diff(rows.records, prepend=rows.records[0] - 1))


@dataclass(frozen=True, slots=True)
class RecordRows:
    """The chunk rows of one shard by record: those of record i are from row `firsts[i]` to `lasts[i]`, both (n,)."""

    rows: ScoredRows
    firsts: npt.NDArray[np.intp]
    lasts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, rows: ScoredRows) -> RecordRows:
        """`rows` must not be empty."""
        firsts = first_rows(rows)
        return cls(rows, firsts, np.append(firsts[1:], len(rows)) - 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """`gather` gives a value for each record of a shard, `merge` the value of two consecutive parts of one record."""

    gather: Callable[[RecordRows], Iterable[Any]]
    merge: Callable[[Any, Any], Any]


class Coverage(NamedTuple):
    """`bases` in scored chunks, overlaps counted once.

    `begins` and `ends` are where the first and the last row begin and end, NO_BOUND for a row that is not scored.
    """

    bases: int
    begins: int
    ends: int


def summed(of: Callable[[ScoredRows], npt.NDArray[Any]]) -> Any:
    """A field with the sum over all rows."""
    return _field(lambda by: np.add.reduceat(of(by.rows).astype(np.int64), by.firsts).tolist(), operator.add)


def largest(of: Callable[[ScoredRows], npt.NDArray[Any]]) -> Any:
    """A field with the maximum over all rows."""
    return _field(lambda by: np.maximum.reduceat(of(by.rows), by.firsts).tolist(), max)


def first(of: Callable[[ScoredRows], npt.NDArray[Any] | list[Any]]) -> Any:
    """A field with the value of the first row."""

    def gather(by: RecordRows) -> list[Any]:
        values = of(by.rows)
        if isinstance(values, np.ndarray):
            return values[by.firsts].tolist()
        return [values[row] for row in by.firsts.tolist()]

    return _field(gather, lambda one, other: one)


def first_with(status: Status, of: Callable[[ScoredRows], Sequence[Any]]) -> Any:
    """A field with the value of the first row that has `status`; None without one."""

    def gather(by: RecordRows) -> list[Any]:
        values, found = of(by.rows), [None] * len(by.firsts)
        rows = np.flatnonzero(by.rows.is_status(status))[::-1]
        records = np.searchsorted(by.firsts, rows, side="right") - 1
        for record, row in zip(records.tolist(), rows.tolist(), strict=True):
            found[record] = values[row]
        return found

    return _field(gather, lambda one, other: other if one is None else one)


def best_status() -> Any:
    """A field with the best status of any row, by the order of _RANKED."""

    def gather(by: RecordRows) -> list[Status]:
        return [STATUSES[place] for place in record_statuses(by).tolist()]

    return _field(gather, lambda one, other: min(one, other, key=_RANKED.index))


def record_statuses(by: RecordRows) -> npt.NDArray[np.int64]:
    """The best status of any row of each record, as a place in STATUSES."""
    return _PLACES_OF_RANKS[np.minimum.reduceat(_RANKS[by.rows.status], by.firsts)]


def scored_coverage() -> Any:
    """A field with the Coverage by scored chunks."""
    return _field(_coverage, _joined_coverage)


def log_odds_of_record() -> Any:
    """A field with the RecordLogOdds of the scored frames and, where they count, of segments and length."""
    return _field(_log_odds, joined_log_odds)


def gathered(kind: type[T], rows: ScoredRows) -> list[T]:
    """The records of one shard in order, as instances of `kind`; of the first and the last it may hold a part only."""
    if not len(rows):
        return []
    by_record = RecordRows.of(rows)
    # Field by field: the constructor of a frozen dataclass takes more than twice as long, for every record of a job.
    found = list(map(object.__new__, repeat(kind, len(by_record.firsts))))
    for name, rule in _rules(kind).items():
        deque(map(getattr(kind, name).__set__, found, rule.gather(by_record)), maxlen=0)
    return found


def merged(one: T, other: T) -> T:
    """Two consecutive parts of one record as one."""
    rules = _rules(type(one))
    return type(one)(*(rule.merge(getattr(one, name), getattr(other, name)) for name, rule in rules.items()))


def _rules(kind: Any) -> dict[str, Rule]:
    return {entry.name: entry.metadata[RULE] for entry in fields(kind)}


def _field(gather: Callable[[RecordRows], Iterable[Any]], merge: Callable[[Any, Any], Any]) -> Any:
    return field(metadata={RULE: Rule(gather, merge)})


def covered_bases(by: RecordRows) -> npt.NDArray[np.int64]:
    """The bases of each record that lie in scored chunks of these rows, overlaps once."""
    rows = by.rows
    scored = rows.is_status(Status.SCORED)
    # A scored chunk covers the bases that the chunk before it in its record, if scored, does not hold already.
    before = np.concatenate([[0], np.where(scored, rows.ends, 0)[:-1]])
    before[1:][rows.records[1:] != rows.records[:-1]] = 0
    bases = np.where(scored, rows.ends - np.maximum(rows.starts, before), 0)
    return np.add.reduceat(bases, by.firsts)


def _coverage(by: RecordRows) -> Iterable[Coverage]:
    rows = by.rows
    scored = rows.is_status(Status.SCORED)
    begins, ends = (
        np.where(scored[places], bounds[places], NO_BOUND).tolist()
        for places, bounds in ((by.firsts, rows.starts), (by.lasts, rows.ends))
    )
    return map(Coverage, covered_bases(by).tolist(), begins, ends)


def _joined_coverage(one: Coverage, other: Coverage) -> Coverage:
    overlap = max(0, one.ends - other.begins) if NO_BOUND not in (one.ends, other.begins) else 0
    return Coverage(one.bases + other.bases - overlap, one.begins, other.ends)


def _log_odds(by: RecordRows) -> Iterable[RecordLogOdds]:
    return log_odds_of(by.rows, by.firsts)


def log_odds_of(rows: ScoredNumbers, firsts: npt.NDArray[np.intp]) -> Iterable[RecordLogOdds]:
    """The log-odds of the records that begin at the rows `firsts`."""
    frames, totals = (np.add.reduceat(values, firsts) for values in (rows.sums.frames, rows.sums.totals))
    rule = rows.record_score
    needs_segments = rule.has_segments or rule.has_lengths
    return records_log_odds(rule, frames, totals, _segment_sums(rows, firsts) if needs_segments else None)


def _segment_sums(rows: ScoredNumbers, firsts: npt.NDArray[np.intp]) -> SegmentSums:
    sums = rows.sums
    segments, totals, closed = (
        np.add.reduceat(values, firsts) for values in (sums.segments, sums.segment_totals, sums.closed)
    )
    is_read = [rows.is_status(status) for status in (Status.PARTIAL_FRAME, Status.NO_OPEN_FRAME, Status.SCORED)]
    is_whole = np.logical_and.reduceat(np.logical_or.reduce(is_read), firsts)
    return SegmentSums(segments, totals, np.where(is_whole, rows.lengths[firsts], 0), closed)
