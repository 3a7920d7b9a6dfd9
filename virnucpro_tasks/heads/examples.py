"""Vectors of the frames of labelled records, from a job that kept them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.labels import Label, Labels, unlabelled
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.results import damaged_result
from virnucpro_tasks.jobs.vectors import read_shard_vectors
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.tables import read_table


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """`nucleotide` and `protein` (n, width) float32 are vectors of frames, `record` (n,) the index of their record.

    `ids`, `lengths` (bases) and `labels` are by record; a record without an open frame is not among them.
    """

    nucleotide: NDArray[np.float32]
    protein: NDArray[np.float32]
    record: NDArray[np.int64]
    ids: Sequence[str]
    lengths: NDArray[np.int64]
    labels: Sequence[Label]

    @property
    def virus(self) -> NDArray[np.bool_]:
        """Whether each record is a virus."""
        return np.array([label.virus for label in self.labels], dtype=bool)

    @property
    def groups(self) -> list[str]:
        """The group of each record."""
        return [label.group for label in self.labels]

    @property
    def frames(self) -> NDArray[np.int64]:
        """The number of frames of each record."""
        return np.bincount(self.record, minlength=len(self.ids))

    @property
    def joined(self) -> NDArray[np.float32]:
        """(n, both widths), as a head takes them."""
        return np.concatenate([self.nucleotide, self.protein], axis=1)

    def of(self, records: NDArray[np.int64]) -> Self:
        """The examples of some records, in the order given."""
        places = np.full(len(self.ids), -1)
        places[records] = np.arange(len(records))
        rows = np.flatnonzero(places[self.record] >= 0)
        return type(self)(
            self.nucleotide[rows],
            self.protein[rows],
            places[self.record[rows]],
            [self.ids[record] for record in records],
            self.lengths[records],
            [self.labels[record] for record in records],
        )

    def means(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """The mean over its frames of a score by frame (n,): one number a record."""
        return np.bincount(self.record, weights=scores, minlength=len(self.ids)) / self.frames


def read_examples(job: Job, labels: Labels) -> Examples:
    """The examples of a finished job that kept its vectors.

    Raises InputError if a record with open frames has no label, or if one of the classes is missing; DamagedError if
    a file of the job was changed.
    """
    nucleotide, protein, records = [], [], []
    facts: dict[int, tuple[str, int, Label]] = {}
    nameless: list[str] = []
    names = [entry.name for entry in job.spec.inputs]
    plan = read_plan(job.paths.plan)
    for number in plan.to_embed:
        entry = plan.shards[number]
        chunks = read_table(job.paths.chunks(number), sha256=entry.chunks_sha256)
        frames = read_table(job.paths.frames(number), sha256=entry.frames_sha256)
        columns = (
            chunks[name].to_pylist() for name in ("record_ordinal", "record_id", "record_length", "input_ordinal")
        )
        for ordinal, record_id, length, source in zip(*columns, strict=True):
            if ordinal not in facts:
                text = record_id.decode(errors="replace")
                label = labels.of(text, source)
                if label is None:
                    nameless.append(text)
                    label = Label(virus=False, group="", taxon="")
                facts[ordinal] = (text, length, label)
        vectors = read_shard_vectors(job, plan, number)
        if vectors is None:
            raise damaged_result(job, job.paths.embedding(number))
        computed = vectors.nucleotide_row >= 0
        nucleotide.append(vectors.nucleotide[vectors.nucleotide_row[computed]])
        protein.append(vectors.protein[vectors.protein_row[computed]])
        records.append(frames["record_ordinal"].to_numpy()[computed])
    if nameless:
        raise unlabelled(nameless, file=", ".join(names))
    if not records:
        raise InputError("no record has an open frame", file=", ".join(names))
    ordinals, record = np.unique(np.concatenate(records), return_inverse=True)
    chosen = [facts[ordinal] for ordinal in ordinals.tolist()]
    if len({label.virus for _, _, label in chosen}) < 2:
        raise InputError("all records have the same label", file=", ".join(names), hint="both classes are needed")
    return Examples(
        np.concatenate(nucleotide),
        np.concatenate(protein),
        record,
        [record_id for record_id, _, _ in chosen],
        np.array([length for _, length, _ in chosen]),
        [label for _, _, label in chosen],
    )
