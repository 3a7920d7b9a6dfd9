"""records.tsv: one row for every record, in input order. Each value of a record and each column is declared here once.

A column that follows from the values there are takes an entry in RECORD_COLUMNS. One that needs another value takes a
field of RecordSummary too, with its merge rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from os import fsencode
from typing import Any

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.consensus import mean_virus_score
from virnucpro_tasks.classifier.record_score import RecordLogOdds
from virnucpro_tasks.output.evidence import Evidence, evidence_of
from virnucpro_tasks.output.fields import (
    calls,
    fraction_texts,
    fractions,
    integers,
    mates,
    names,
    repeated_texts,
    score_texts,
    scores,
    statuses,
    texts,
)
from virnucpro_tasks.output.merge_rules import (
    Coverage,
    best_status,
    first,
    first_with,
    gathered,
    largest,
    log_odds_of_record,
    merged,
    scored_coverage,
    summed,
)
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import Column, TableStyle, table_of
from virnucpro_tasks.reads.tables import Status

SCORE_COLUMN, EARLIER_SCORE_COLUMN = "virus_score", "mean_viral_score"
"""The column with the score that a record is called by, and the one of tables of versions before 0.6."""

FALSE_DISCOVERY_COLUMN = "fdr"

MATE_MEANING = "1 or 2 for the reads of a pair, which have one id; only there if the input has pairs"


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """The values of one record, or of its part in one shard.

    `virus_sum` and `highest` are over `frames` scored frames (see `ChunkScores`), both 0 without any.
    """

    input_ordinal: int = first(lambda rows: rows.inputs)
    ordinal: int = first(lambda rows: rows.records)
    record_id: bytes = first(lambda rows: rows.ids)
    length: int = first(lambda rows: rows.lengths)
    mate: int = first(lambda rows: rows.mates)
    description: bytes = first(lambda rows: rows.descriptions)
    status: Status = best_status()
    first_reason: str = first(lambda rows: rows.reasons)
    quarantine_reason: str | None = first_with(Status.QUARANTINED, lambda rows: rows.reasons)
    chunks: int = summed(lambda rows: rows.chunks > 0)
    scored_chunks: int = summed(lambda rows: rows.is_status(Status.SCORED))
    no_open_frame_chunks: int = summed(lambda rows: rows.is_status(Status.NO_OPEN_FRAME))
    quarantined_chunks: int = summed(lambda rows: rows.is_status(Status.QUARANTINED))
    partial_frame_chunks: int = summed(lambda rows: rows.is_status(Status.PARTIAL_FRAME))
    virus_chunks: int = summed(lambda rows: rows.scores.is_virus)
    frames: int = summed(lambda rows: rows.scores.frames)
    virus_sum: int = summed(lambda rows: rows.scores.virus_sum)
    score: RecordLogOdds = log_odds_of_record()
    highest: float = largest(lambda rows: rows.scores.highest_virus)
    coverage: Coverage = scored_coverage()

    @property
    def covered(self) -> int:
        """Bases in scored chunks, overlaps once."""
        return self.coverage.bases

    @property
    def scored_fraction(self) -> float:
        return self.covered / self.length if self.length else 0.0

    @property
    def highest_score(self) -> float:
        """Highest P(virus) of any scored frame; NaN if there is none."""
        return self.highest if self.status == Status.SCORED else math.nan

    @property
    def mean(self) -> float:
        """Mean P(virus) of all scored frames; NaN if there is none."""
        return mean_virus_score(self.virus_sum, self.frames)

    @property
    def virus_score(self) -> float:
        """P(virus) of the record; NaN if it has no score."""
        return self.score.score

    @property
    def is_virus(self) -> bool:
        return self.score.is_virus

    @property
    def call(self) -> bool | None:
        """Whether the record is called a virus; None if it has no score."""
        return self.is_virus if self.score.is_scored else None

    @property
    def evidence(self) -> Evidence | None:
        """How much of the record the score rests on; None if it has no score. Segments are no more than low."""
        if not self.score.is_scored:
            return None
        return evidence_of(self.scored_chunks, self.scored_fraction)

    @property
    def note(self) -> str:
        """Why the record, or a part of it, has no score; empty for one that is scored as a whole."""
        reason = self.first_reason if self.quarantine_reason is None else self.quarantine_reason
        if self.status == Status.PARTIAL_FRAME:
            partial = f"no open frame: the longest segments of {self.partial_frame_chunks} of {self.chunks} chunks"
            quarantined = f"; {self.quarantined_chunks} quarantined: {reason}" if self.quarantined_chunks else ""
            return f"{partial} are scored{quarantined}"
        if self.status == Status.NO_OPEN_FRAME and (self.score.frames or self.score.segments):
            return f"{reason}: scored by its reverse complement"
        if self.status != Status.SCORED:
            return reason
        if self.quarantined_chunks:
            return f"{self.quarantined_chunks} of {self.chunks} chunks quarantined: {reason}"
        return ""


class RecordMerger:
    """Takes the summaries of a job's shards in order and yields each record when it is complete. Keeps one at most."""

    def __init__(self) -> None:
        self._open: RecordSummary | None = None

    def add(self, summaries: Iterable[RecordSummary]) -> Iterator[RecordSummary]:
        """Yield the records that end before the last of `summaries`."""
        for summary in summaries:
            if self._open is not None and self._open.ordinal == summary.ordinal:
                summary = merged(self._open, summary)
            elif self._open is not None:
                yield self._open
            self._open = summary

    def end(self) -> Iterator[RecordSummary]:
        """Yield the last record."""
        if self._open is not None:
            yield self._open
        self._open = None


def record_summaries(rows: ScoredRows) -> Iterable[RecordSummary]:
    """The records of one shard in order; of the first and the last it may hold a part only."""
    return gathered(RecordSummary, rows)


@dataclass(frozen=True, slots=True)
class WrittenRecords:
    """Complete records in order, and those of their values, column by column, that several files have.

    `calls` are true for virus and None without a score; `are_virus` (n,) bool tells of the former. `scores` (n,)
    float64 are P(virus), NaN without a score, and `rates` (n,) float64 false-discovery rates, NaN for a record without
    a score, and where the job has no rates. `score_texts`, `rate_texts` and `fraction_texts` are P(virus), rate and
    share of bases in scored chunks as tables write them.
    """

    records: Sequence[RecordSummary]
    calls: list[bool | None]
    are_virus: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]
    rates: npt.NDArray[np.float64]
    score_texts: list[bytes]
    rate_texts: list[bytes]
    fraction_texts: list[bytes]

    @classmethod
    def of(cls, records: Sequence[RecordSummary], style: TableStyle) -> WrittenRecords:
        calls = [record.call for record in records]
        virus_scores = [record.virus_score for record in records]
        score_numbers = np.array(virus_scores, np.float64)
        is_scored = ~np.isnan(score_numbers)
        log_odds = np.array([record.score.log_odds for record in records], np.float64)
        rates = style.false_discoveries.of(log_odds)
        rates[~is_scored] = np.nan
        return cls(
            records,
            calls,
            is_scored & (log_odds >= 0),
            score_numbers,
            rates,
            score_texts=scores(virus_scores),
            rate_texts=scores(rates.tolist()),
            fraction_texts=fractions([record.scored_fraction for record in records]),
        )

    def __len__(self) -> int:
        return len(self.records)


def _each(name: str) -> Callable[[WrittenRecords, TableStyle], Iterable[Any]]:
    """A field or property of every record."""
    return lambda written, _: map(attrgetter(name), written.records)


def _written(name: str) -> Callable[[WrittenRecords, TableStyle], Iterable[Any]]:
    """A value of every record that is there already."""
    return lambda written, _: getattr(written, name)


def _inputs(written: WrittenRecords, style: TableStyle) -> list[bytes]:
    names = [fsencode(name) for name in style.input_names]
    return [names[record.input_ordinal] for record in written.records]


RECORD_COLUMNS: tuple[Column[WrittenRecords], ...] = (
    Column("record_id", "id in the input", texts, _each("record_id")),
    Column("input", "file, as named on the command line", repeated_texts, _inputs),
    Column(
        "record",
        "number of the record, from 1, over all files of the job, or of the sample",
        integers,
        lambda written, style: [record.ordinal - style.first_record + 1 for record in written.records],
    ),
    Column("length", "bases", integers, _each("length")),
    Column("status", "see below", statuses, _each("status")),
    Column("chunks", "number of chunks; 0 for a record that was not cut", integers, _each("chunks")),
    Column("scored_chunks", "chunks that have a score", integers, _each("scored_chunks")),
    Column(
        "no_open_frame_chunks", "chunks without a frame free of stop codons", integers, _each("no_open_frame_chunks")
    ),
    Column("quarantined_chunks", "chunks that are quarantined", integers, _each("quarantined_chunks")),
    Column("virus_chunks", "scored chunks called virus", integers, _each("virus_chunks")),
    Column(
        "scored_fraction", "share of the bases that lie in scored chunks", fraction_texts, _written("fraction_texts")
    ),
    Column("highest_viral_score", "highest P(virus) of any scored frame", scores, _each("highest_score")),
    Column(EARLIER_SCORE_COLUMN, "mean P(virus) of all scored frames", scores, _each("mean")),
    Column("call", "`virus` if `virus_score` is at least 0.5, else `others`", calls, _written("calls")),
    Column(
        "reason",
        "why the record, or some of its chunks, has no score",
        repeated_texts,
        lambda written, _: [record.note.encode() for record in written.records],
    ),
    Column(
        "model",
        "name of the bundle",
        repeated_texts,
        lambda written, style: [style.model_label.encode()] * len(written),
    ),
    Column("mate", MATE_MEANING, mates, _each("mate"), lambda style: style.has_mates),
    Column("description", "rest of the header, behind the id", texts, _each("description")),
    Column(
        "evidence", "`high`, `medium` or `low`: how much of the record its score rests on", names, _each("evidence")
    ),
    Column(
        SCORE_COLUMN,
        "P(virus) of the record, from the log-odds of its scored frames and their number",
        score_texts,
        _written("score_texts"),
    ),
    Column(
        "partial_frame_chunks",
        "chunks without an open frame whose longest segment is scored; only there with `--coverage segments`",
        integers,
        _each("partial_frame_chunks"),
        lambda style: style.has_segments,
    ),
    Column(
        FALSE_DISCOVERY_COLUMN,
        "false-discovery rate up to this record: the share of others among the records that score as high or higher",
        score_texts,
        _written("rate_texts"),
    ),
)


def score_column(names: Sequence[str]) -> str:
    """The name of the column with the score that records are called by, of those that a table has."""
    return SCORE_COLUMN if SCORE_COLUMN in names else EARLIER_SCORE_COLUMN


RECORDS = table_of(
    RECORD_COLUMNS, name="records.tsv", meaning="one row for every input record, in input order", is_joined=True
)
