"""Counts of records by their log-odds, made of the shards of a job before any line is written.

A false-discovery rate compares a record with all others, so these are counted first: in bins, in constant memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.class_prior import estimated_prior, given_prior
from virnucpro_tasks.classifier.false_discoveries import FalseDiscoveries, false_discoveries
from virnucpro_tasks.classifier.log_odds_bins import BINS, Integers, bins_of
from virnucpro_tasks.classifier.record_score import RecordLogOdds, joined_log_odds
from virnucpro_tasks.output.merge_rules import first_rows, log_odds_of
from virnucpro_tasks.output.scored import ScoredNumbers


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A record that may go on in another shard: its number in the job, and its log-odds so far."""

    ordinal: int
    score: RecordLogOdds


@dataclass(frozen=True, slots=True)
class RankedShard:
    """The records of one shard: `bins` (n,) int16 of those that lie in it as a whole and have a score; the others."""

    bins: npt.NDArray[np.int16]
    first: tuple[EdgeRecord, ...]
    last: tuple[EdgeRecord, ...]


def ranked_shard(rows: ScoredNumbers) -> RankedShard:
    """The records of one shard by the bins of their log-odds."""
    if not len(rows):
        return RankedShard(np.zeros(0, np.int16), (), ())
    firsts = first_rows(rows)
    found = list(log_odds_of(rows, firsts))
    edges = [EdgeRecord(int(rows.records[firsts[place]]), found[place]) for place in (0, -1)]
    inner = np.array([record.log_odds for record in found[1:-1] if record.is_scored], np.float64)
    return RankedShard(bins_of(inner).astype(np.int16), (edges[0],), (edges[1],) if len(found) > 1 else ())


def ranked_records(shards: Iterable[RankedShard]) -> Integers:
    """The number of records with a score in each bin, int64 (BINS,), from the shards of a job in order."""
    counts = np.zeros(BINS, np.int64)
    open_record: EdgeRecord | None = None

    def count(record: EdgeRecord | None) -> None:
        if record is not None and record.score.is_scored:
            counts[bins_of(np.array([record.score.log_odds]))] += 1

    for shard in shards:
        counts += np.bincount(shard.bins, minlength=BINS)
        for edge in (*shard.first, *shard.last):
            if open_record is not None and open_record.ordinal == edge.ordinal:
                edge = EdgeRecord(edge.ordinal, joined_log_odds(open_record.score, edge.score))
            else:
                count(open_record)
            open_record = edge
    count(open_record)
    return counts


def rates_of(shards: Iterable[RankedShard], *, share: float | None) -> FalseDiscoveries:
    """The false-discovery rates of a job from its shards in order, for this share of viruses; None is estimated."""
    counts = ranked_records(shards)
    return false_discoveries(counts, estimated_prior(counts) if share is None else given_prior(counts, share))
