"""contigs.tsv, column by column: the calls of the Broad Institute's pipeline, as `classifier.contig_call` makes them.

Columns and values are those of the pipeline's own table, which other programs of it read. It lists records with a
scored chunk in natural order of their ids.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.contig_call import (
    CALLS,
    ROUNDING,
    TIERS,
    ContigCalls,
    ContigEvidence,
    contig_calls,
    contig_evidence,
)
from virnucpro_tasks.output.fields import counts, csv_texts, table_lines
from virnucpro_tasks.output.natural_order import natural_keys
from virnucpro_tasks.output.read_back import read_back
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.spans import SpanFiles
from virnucpro_tasks.output.table import Column, TableStyle, table_of
from virnucpro_tasks.reads.tables import Status


@dataclass(frozen=True, slots=True)
class Contigs:
    """n records with a scored chunk, or the parts of them in one shard, column by column.

    `ordinals` are the numbers of the records, from 0.
    """

    ordinals: list[int]
    ids: list[bytes]
    evidence: ContigEvidence

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, places: slice) -> Contigs:
        return Contigs(self.ordinals[places], self.ids[places], self.evidence[places])


@dataclass(frozen=True, slots=True)
class CalledContigs:
    """Contigs and their calls."""

    contigs: Contigs
    calls: ContigCalls

    @classmethod
    def of(cls, contigs: Contigs, style: TableStyle) -> CalledContigs:
        return cls(contigs, contig_calls(contigs.evidence))


def contigs_of(rows: ScoredRows) -> Contigs:
    """The contigs of one shard in order; of the first and the last it may hold a part only."""
    scored = np.flatnonzero(rows.is_status(Status.SCORED))
    records = rows.records[scored]
    firsts = np.flatnonzero(np.diff(records, prepend=-1))
    scores = read_back(np.concatenate([rows.scores.highest_others[scored], rows.scores.highest_virus[scored]]))
    evidence = contig_evidence(scores[: len(scored)], scores[len(scored) :], firsts)
    places = scored[firsts]
    ids = rows.ids if len(places) == len(rows) else list(map(rows.ids.__getitem__, places.tolist()))
    return Contigs(records[firsts].tolist(), ids, evidence)


def settled_contigs(one: Contigs, other: Contigs) -> tuple[Contigs, Contigs]:
    """Two contigs, each a single one; if the second goes on with the record of the first, none and both as one."""
    if one.ordinals != other.ordinals:
        return one, other
    return one[:0], replace(one, evidence=one.evidence + other.evidence)


def _called(name: str) -> Callable[[CalledContigs, TableStyle], Iterable[Any]]:
    """A value of every call."""
    return lambda called, _: getattr(called.calls, name)


def _counted(name: str) -> Callable[[CalledContigs, TableStyle], Iterable[Any]]:
    """A number of chunks of every contig."""
    return lambda called, _: getattr(called.contigs.evidence, name)


_CALL_TEXTS, _TIER_TEXTS = (np.array([value.encode() for value in values], object) for values in (CALLS, TIERS))
_UNIT_TEXTS = np.array([b"%a" % (units / ROUNDING) for units in range(-ROUNDING, ROUNDING + 1)], object)


def _calls(places: npt.NDArray[np.int64]) -> list[bytes]:
    """Places in CALLS by name."""
    return _CALL_TEXTS[places].tolist()


def _tiers(places: npt.NDArray[np.int64]) -> list[bytes]:
    """Places in TIERS by name."""
    return _TIER_TEXTS[places].tolist()


def _decimals(units: npt.NDArray[np.int64]) -> list[bytes]:
    """Units of 1 / ROUNDING, from -1 to 1, as numbers with as few decimals as tell them apart."""
    return _UNIT_TEXTS[units + ROUNDING].tolist()


_CALL_COLUMNS: tuple[Column[CalledContigs], ...] = (
    Column("ID", "id in the input", csv_texts, lambda called, _: called.contigs.ids),
    Column(
        "call",
        "`Viral` if `weighted_delta`, before it is rounded, is above 0.3, `Non-viral` if it is below −0.3, else "
        "`Ambiguous`",
        _calls,
        _called("calls"),
    ),
    Column(
        "tier",
        "`high_confidence`, `moderate_confidence`, `low_confidence` or `review`, see below",
        _tiers,
        _called("tiers"),
    ),
    Column(
        "weighted_delta",
        "mean of d over the scored chunks, weighted by the root of its size, rounded to three decimals",
        _decimals,
        _called("weighted_deltas"),
    ),
)

_COUNT_COLUMNS: tuple[Column[CalledContigs], ...] = (
    Column("n_chunks", "scored chunks", counts, _counted("chunks")),
    Column(
        "n_confident_viral",
        "chunks with `max_score_1` above 0.8 and `max_score_0` below 0.3",
        counts,
        _counted("confident_viral"),
    ),
    Column(
        "n_confident_nonviral",
        "chunks with `max_score_0` above 0.8 and `max_score_1` below 0.3",
        counts,
        _counted("confident_nonviral"),
    ),
    Column("n_ambiguous", "chunks with both scores above 0.7", counts, _counted("ambiguous")),
    Column(
        "viral_proportion",
        "`n_confident_viral` by the chunks that are not ambiguous, rounded to three decimals; 0 if all are",
        _decimals,
        _called("viral_proportions"),
    ),
    Column(
        "nonviral_proportion",
        "the same of `n_confident_nonviral`",
        _decimals,
        _called("nonviral_proportions"),
    ),
)

CONTIG_COLUMNS = (*_CALL_COLUMNS, *_COUNT_COLUMNS)

_MOST_COUNTS = 2**16
"""Possible sets of counts up to which it is worth to look for equal ones."""


def _contig_lines(called: CalledContigs, style: TableStyle) -> list[bytes]:
    return table_lines(
        *(column.write(column.values(called, style)) for column in _CALL_COLUMNS), *_count_texts(called, style)
    )


def _count_texts(called: CalledContigs, style: TableStyle) -> list[list[bytes]]:
    """The texts of _COUNT_COLUMNS, column by column; as one column where equal counts, on which they all depend, have a
    text in common: in jobs of short records there are few different ones.
    """
    columns = [(column.write, np.asarray(column.values(called, style))) for column in _COUNT_COLUMNS]
    evidence = called.contigs.evidence
    numbers = (evidence.chunks, evidence.confident_viral, evidence.confident_nonviral, evidence.ambiguous)
    shape = [int(each.max(initial=0)) + 1 for each in numbers]
    if math.prod(shape) > _MOST_COUNTS:
        return [write(values) for write, values in columns]
    places = np.ravel_multi_index(numbers, shape)
    contigs = np.full(math.prod(shape), -1)
    contigs[places] = np.arange(len(places))
    different = np.flatnonzero(contigs >= 0)
    found = np.empty(len(contigs), object)
    found[different] = table_lines(*(write(values[contigs[different]]) for write, values in columns))
    return [found[places].tolist()]


_ALL_COLUMNS = table_of(
    CONTIG_COLUMNS,
    name="contigs.tsv",
    meaning="one row for every record with a scored chunk, called as the Broad Institute's pipeline does it, in "
    "natural order of ids",
    is_prefixed=True,
    sort_keys=lambda called: natural_keys(called.contigs.ids),
)
CONTIGS = replace(_ALL_COLUMNS, lines=_contig_lines)

CONTIG_FILES = SpanFiles((CONTIGS,), contigs_of, settled_contigs, CalledContigs.of)
