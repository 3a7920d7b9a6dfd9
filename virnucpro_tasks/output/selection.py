"""Chooses the records whose sequences are handed on, by the values that records.tsv has of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from virnucpro_tasks.classifier.consensus import CALLED_SCORE
from virnucpro_tasks.jobs.output_options import Cutoffs
from virnucpro_tasks.output.fields import LINE_END, NOT_AVAILABLE, SEPARATOR
from virnucpro_tasks.output.records import WrittenRecords
from virnucpro_tasks.output.table import TableStyle

MOST_ROUNDING = 1e-5
"""More than a probability changes when it is written with six digits."""


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
        """The record as a line of bytes without its end, for another process. An id holds no white space."""
        return b"%d\t%d\t%d\t%b\t%b" % self

    @classmethod
    def of_lines(cls, text: bytes) -> list[SelectedRecord]:
        """The records of such lines, each with its end."""
        # All lines at once: one by one takes twice as long.
        columns = len(cls._fields)
        values = text.replace(LINE_END, SEPARATOR).split(SEPARATOR)[:-1]
        numbers, lengths, chunks = (map(int, values[place::columns]) for place in range(3))
        return list(map(cls, numbers, lengths, chunks, values[3::columns], values[4::columns]))


def is_selected(
    cutoffs: Cutoffs, *, is_virus: bool, score: bytes, length: int, scored_fraction: bytes, fdr: bytes
) -> bool:
    """Whether a scored record is within the cutoffs, which are compared with the numbers as records.tsv writes them.

    If the least score is the one from which a record is called virus, the call decides: it is made before rounding.
    """
    has_score = is_virus if cutoffs.min_score == CALLED_SCORE else float(score) >= cutoffs.min_score
    has_score = has_score and (cutoffs.max_fdr is None or (fdr != NOT_AVAILABLE and float(fdr) <= cutoffs.max_fdr))
    return has_score and length >= cutoffs.min_length and float(scored_fraction) >= cutoffs.min_scored_fraction


def selected_records(written: WrittenRecords, style: TableStyle) -> list[SelectedRecord]:
    """The records within the cutoffs of `style`, numbered from its first record."""
    found = []
    for place in _possible_places(written, style.cutoffs):
        record, score = written.records[place], written.score_texts[place]
        if is_selected(
            style.cutoffs,
            is_virus=written.calls[place] is True,
            score=score,
            length=record.length,
            scored_fraction=written.fraction_texts[place],
            fdr=written.rate_texts[place],
        ):
            number = record.ordinal - style.first_record
            found.append(SelectedRecord(number, record.length, record.chunks, score, record.record_id))
    return found


def _possible_places(written: WrittenRecords, cutoffs: Cutoffs) -> list[int]:
    """The places of the scored records that may be within the cutoffs: a few more than are."""
    scores = np.array(written.scores, np.float64)
    is_possible = scores >= cutoffs.min_score - MOST_ROUNDING
    if cutoffs.max_fdr is not None:
        is_possible &= written.rates <= cutoffs.max_fdr + MOST_ROUNDING
    return np.flatnonzero(is_possible).tolist()
