"""Chooses the records whose sequences are handed on, by the values that records.tsv has of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.consensus import CALLED_SCORE
from virnucpro_tasks.jobs.output_options import Cutoffs
from virnucpro_tasks.output.fields import LINE_END, NOT_AVAILABLE, SEPARATOR, integers, joined, table_lines
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
    def note(self) -> bytes:
        """The words that follow the header of the record in `virus.fasta.gz`."""
        return b" virus_score=%b chunks=%d" % (self.score, self.chunks)


@dataclass(frozen=True, slots=True)
class SelectedRecords:
    """n records whose sequences are handed on, column by column, as SelectedRecord has them."""

    numbers: list[int]
    lengths: list[int]
    notes: list[bytes]
    record_ids: list[bytes]

    @classmethod
    def of(cls, records: Iterable[SelectedRecord]) -> SelectedRecords:
        rows = [(record.number, record.length, record.note, record.record_id) for record in records]
        return cls(*map(list, zip(*rows, strict=True))) if rows else cls([], [], [], [])

    @classmethod
    def of_lines(cls, text: bytes) -> SelectedRecords:
        """The records of their `lines`, each with its end."""
        # All lines at once: one by one takes several times as long.
        columns = len(fields(cls))
        values = text.replace(LINE_END, SEPARATOR).split(SEPARATOR)[:-1]
        numbers, lengths = (list(map(int, values[place::columns])) for place in range(2))
        return cls(numbers, lengths, values[2::columns], values[3::columns])

    @property
    def lines(self) -> list[bytes]:
        """The records as lines without their ends, for another process. An id holds no white space."""
        return table_lines(integers(self.numbers), integers(self.lengths), self.notes, self.record_ids)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, places: slice) -> SelectedRecords:
        return SelectedRecords(self.numbers[places], self.lengths[places], self.notes[places], self.record_ids[places])


def is_selected(
    cutoffs: Cutoffs, *, is_virus: bool, score: bytes, length: int, scored_fraction: bytes, fdr: bytes
) -> bool:
    """Whether a scored record is within the cutoffs, which are compared with the numbers as records.tsv writes them.

    If the least score is the one from which a record is called virus, the call decides: it is made before rounding.
    """
    has_score = is_virus if cutoffs.min_score == CALLED_SCORE else float(score) >= cutoffs.min_score
    has_score = has_score and (cutoffs.max_fdr is None or (fdr != NOT_AVAILABLE and float(fdr) <= cutoffs.max_fdr))
    return has_score and length >= cutoffs.min_length and float(scored_fraction) >= cutoffs.min_scored_fraction


def selected_records(written: WrittenRecords, style: TableStyle) -> SelectedRecords:
    """The records within the cutoffs of `style`, numbered from its first record."""
    places = _places(written, style.cutoffs)
    records = [written.records[place] for place in places]
    scores = [written.score_texts[place] for place in places]
    chunks = integers([record.chunks for record in records])
    return SelectedRecords(
        [record.ordinal - style.first_record for record in records],
        [record.length for record in records],
        joined(b"", [b" virus_score="] * len(records), scores, [b" chunks="] * len(records), chunks),
        [record.record_id for record in records],
    )


def _places(written: WrittenRecords, cutoffs: Cutoffs) -> list[int]:
    """The places of the scored records within the cutoffs."""
    possible = _within(written, cutoffs, margin=-MOST_ROUNDING)
    certain = _within(written, cutoffs, margin=MOST_ROUNDING)
    if cutoffs.min_length or cutoffs.min_scored_fraction:
        certain = np.zeros(len(written), bool)
    # Most need not be looked at one by one: that takes longer than all the rest.
    for place in np.flatnonzero(possible & ~certain).tolist():
        record = written.records[place]
        certain[place] = is_selected(
            cutoffs,
            is_virus=bool(written.are_virus[place]),
            score=written.score_texts[place],
            length=record.length,
            scored_fraction=written.fraction_texts[place],
            fdr=written.rate_texts[place],
        )
    return np.flatnonzero(certain).tolist()


def _within(written: WrittenRecords, cutoffs: Cutoffs, *, margin: float) -> npt.NDArray[np.bool_]:
    """Mask (n,) bool of the records within the cutoffs of score and rate by at least `margin`, none without a score."""
    found: npt.NDArray[np.bool_] = written.scores >= cutoffs.min_score + margin
    if cutoffs.max_fdr is not None:
        found &= written.rates <= cutoffs.max_fdr - margin
    return found
