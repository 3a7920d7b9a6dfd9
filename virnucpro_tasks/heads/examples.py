"""Vectors of the frames of labelled records, from a job that kept them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.labels import Label, Labels, unlabelled
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.results import damaged_result
from virnucpro_tasks.jobs.vectors import read_shard_vectors
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.tables import are_segments, have_codons, read_table


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """`nucleotide` and `protein` (n, width) float32 are vectors of frames, `record` (n,) the index of their record.

    `is_segment` (n,) tells which of these are segments that stand for a chunk without an open frame. `ids`, `lengths`
    (bases) and `labels` are by record; a record without an open frame is among them only if the job is covered by
    segments.
    """

    nucleotide: NDArray[np.float32]
    protein: NDArray[np.float32]
    record: NDArray[np.int64]
    ids: Sequence[str]
    lengths: NDArray[np.int64]
    labels: Sequence[Label]
    is_segment: NDArray[np.bool_]

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
        """The number of open frames of each record."""
        return np.bincount(self.record[~self.is_segment], minlength=len(self.ids))

    @property
    def segments(self) -> NDArray[np.int64]:
        """The number of segments of each record."""
        return np.bincount(self.record[self.is_segment], minlength=len(self.ids))

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
            self.is_segment[rows],
        )

    def by_frames(self) -> Self:
        """The records that have open frames, with these alone."""
        kept = replace(
            self,
            nucleotide=self.nucleotide[~self.is_segment],
            protein=self.protein[~self.is_segment],
            record=self.record[~self.is_segment],
            is_segment=np.zeros(int((~self.is_segment).sum()), bool),
        )
        return kept.of(np.flatnonzero(self.frames))

    def means(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """The mean over its open frames of a score by frame (n,): one number a record, NaN without such frames."""
        frames = self.frames
        return np.where(frames > 0, self.totals(scores) / np.maximum(frames, 1), np.nan)

    def totals(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """The sum over its open frames of a score by frame (n,): one number a record."""
        return self._sums(scores, ~self.is_segment)

    def segment_totals(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """The sum over its segments of a score by frame (n,): one number a record."""
        return self._sums(scores, self.is_segment)

    def _sums(self, scores: NDArray[np.floating], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(self.record[chosen], weights=scores[chosen], minlength=len(self.ids)).astype(np.float64)


def read_examples(job: Job, labels: Labels) -> Examples:
    """The examples of a finished job that kept its vectors.

    If it is covered by segments, records without any frame or segment are among them, unless they were not cut or have
    no unambiguous codon.

    Raises InputError if a record with open frames has no label, or if one of the classes is missing; DamagedError if
    a file of the job was changed.
    """
    nucleotide, protein, records, is_segment = [], [], [], []
    cut: list[NDArray[np.int64]] = []
    with_frames: list[NDArray[np.int64]] = []
    is_covered = job.spec.parameters.has_segments
    facts: dict[int, tuple[str, int, Label]] = {}
    nameless: list[str] = []
    names = [entry.name for entry in job.spec.inputs]
    plan = read_plan(job.paths.plan)
    for number in range(len(plan.shards)) if is_covered else plan.to_embed:
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
        ordinals, counts = chunks["record_ordinal"].to_numpy(), chunks["frames"].to_numpy()
        cut.append(ordinals[(chunks["chunk"].to_numpy() > 0) & have_codons(chunks)])
        with_frames.append(ordinals[counts > 0])
        if not entry.frames:
            continue
        vectors = read_shard_vectors(job, plan, number)
        if vectors is None:
            raise damaged_result(job, job.paths.embedding(number))
        computed = vectors.nucleotide_row >= 0
        nucleotide.append(vectors.nucleotide[vectors.nucleotide_row[computed]])
        protein.append(vectors.protein[vectors.protein_row[computed]])
        records.append(frames["record_ordinal"].to_numpy()[computed])
        is_segment.append(np.repeat(are_segments(chunks), counts)[computed])
    if nameless:
        raise unlabelled(nameless, file=", ".join(names))
    if not records:
        raise InputError("no record has an open frame", file=", ".join(names))
    rows = np.concatenate(records)
    closed = np.setdiff1d(np.concatenate(cut), np.concatenate(with_frames)) if is_covered else rows[:0]
    ordinals = np.union1d(rows, closed)
    record = np.searchsorted(ordinals, rows)
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
        np.concatenate(is_segment),
    )
