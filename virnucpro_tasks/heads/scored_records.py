"""Labelled records of a finished job, with the scores of those that have one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.labels import Label, Labels
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.results import result_files

SCORE_COLUMNS = ("virus_score", "mean_viral_score")
"""Columns of records.tsv that are judged: the first that the table has. The record's probability follows from both."""

NOT_AVAILABLE = "NA"


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRecords:
    """n labelled records: id, bases, label, score (n,) of P(virus) or NaN, 0-based place in the input.

    `score_column` is the column of records.tsv that the scores are from; `unlabelled` is how many other records there
    were.
    """

    ids: Sequence[str]
    lengths: NDArray[np.int64]
    labels: Sequence[Label]
    scores: NDArray[np.float64]
    places: Sequence[int]
    score_column: str
    unlabelled: int

    @property
    def virus(self) -> NDArray[np.bool_]:
        return np.array([label.virus for label in self.labels], dtype=bool)

    @property
    def groups(self) -> list[str]:
        return [label.group for label in self.labels]

    @property
    def is_scored(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.scores)

    def of(self, chosen: NDArray[np.bool_]) -> Self:
        """The `chosen` (n,) records, in order."""
        kept = np.flatnonzero(chosen).tolist()
        return type(self)(
            [self.ids[record] for record in kept],
            self.lengths[chosen],
            [self.labels[record] for record in kept],
            self.scores[chosen],
            [self.places[record] for record in kept],
            self.score_column,
            self.unlabelled,
        )


def read_scored(job: Job, labels: Labels) -> ScoredRecords:
    """The labelled records of records.tsv of a finished job. Raises DamagedError if that file was changed."""
    result_files(job)
    ordinals = {entry.name: ordinal for ordinal, entry in enumerate(job.spec.inputs)}
    rows: list[tuple[str, int, Label, float, int]] = []
    unlabelled = 0
    with (job.paths.results / "records.tsv").open(encoding="utf-8", errors="replace", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        column = score_column(reader.fieldnames or ())
        for place, row in enumerate(reader):
            label = labels.of(row["record_id"], ordinals[row["input"]])
            if label is None:
                unlabelled += 1
            else:
                rows.append((row["record_id"], int(row["length"]), label, score_of(row[column]), place))
    return ScoredRecords(
        ids=[row[0] for row in rows],
        lengths=np.array([row[1] for row in rows], dtype=np.int64),
        labels=[row[2] for row in rows],
        scores=np.array([row[3] for row in rows], dtype=np.float64),
        places=[row[4] for row in rows],
        score_column=column,
        unlabelled=unlabelled,
    )


def score_column(header: Sequence[str]) -> str:
    """The column of a records.tsv with this header whose scores are judged. Raises ValueError if it has none."""
    for name in SCORE_COLUMNS:
        if name in header:
            return name
    raise ValueError(f"records.tsv has none of the columns {', '.join(SCORE_COLUMNS)}")


def score_of(text: str) -> float:
    """A score as it is written in records.tsv; NaN for a record without one."""
    return np.nan if text == NOT_AVAILABLE else float(text)
