"""Chooses the records whose sequences are handed on, by the values that records.tsv has of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from virnucpro_tasks.classifier.consensus import CALLED_SCORE
from virnucpro_tasks.jobs.output_options import Cutoffs
from virnucpro_tasks.output.fields import NOT_AVAILABLE, fractions, scores
from virnucpro_tasks.output.records import RecordSummary, false_discovery_rates
from virnucpro_tasks.output.table import TableStyle


class SelectedRecord(NamedTuple):
    """A record whose sequence is handed on.

    `number` is its place in the input, from 0; `score` is written as in records.tsv; `chunks` is the number of them.
    """

    number: int
    length: int
    chunks: int
    score: bytes
    record_id: bytes

    @property
    def line(self) -> bytes:
        """The record as a line of bytes, for another process. An id holds no white space."""
        return b"%d\t%d\t%d\t%b\t%b\n" % self

    @classmethod
    def of(cls, line: bytes) -> SelectedRecord:
        """The record of a line without its end."""
        number, length, chunks, score, record_id = line.split(b"\t", 4)
        return cls(int(number), int(length), int(chunks), score, record_id)


def is_selected(
    cutoffs: Cutoffs, *, is_virus: bool, score: bytes, length: int, scored_fraction: bytes, fdr: bytes
) -> bool:
    """Whether a scored record is within the cutoffs, which are compared with the numbers as records.tsv writes them.

    If the least score is the one from which a record is called virus, the call decides: it is made before rounding.
    """
    has_score = is_virus if cutoffs.min_score == CALLED_SCORE else float(score) >= cutoffs.min_score
    has_score = has_score and (cutoffs.max_fdr is None or (fdr != NOT_AVAILABLE and float(fdr) <= cutoffs.max_fdr))
    return has_score and length >= cutoffs.min_length and float(scored_fraction) >= cutoffs.min_scored_fraction


def selected_records(records: Iterable[RecordSummary], style: TableStyle) -> list[SelectedRecord]:
    """The records within the cutoffs of `style`, numbered from its first record."""
    cutoffs = style.cutoffs
    may_be_others = cutoffs.min_score != CALLED_SCORE
    candidates = [record for record in records if (may_be_others and record.call is not None) or record.call]
    written_scores = scores([record.virus_score for record in candidates])
    written_rates = scores(false_discovery_rates(candidates, style))
    written_fractions = fractions([record.scored_fraction for record in candidates])
    return [
        SelectedRecord(record.ordinal - style.first_record, record.length, record.chunks, score, record.record_id)
        for record, score, fraction, rate in zip(
            candidates, written_scores, written_fractions, written_rates, strict=True
        )
        if is_selected(
            cutoffs,
            is_virus=record.is_virus,
            score=score,
            length=record.length,
            scored_fraction=fraction,
            fdr=rate,
        )
    ]
