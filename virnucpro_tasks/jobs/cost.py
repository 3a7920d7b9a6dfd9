"""Counts what a job would compute, by cutting its inputs without writing or embedding anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from virnucpro_tasks.reads.batches import frame_batches
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.tables import FrameBatch, FrameOwners, ReverseChunk
from virnucpro_tasks.shards.cut import frame_tokens
from virnucpro_tasks.shards.tables import are_segments


@dataclass(slots=True)
class Cost:
    """The work of a job: `records`, their `bases`, `chunks` by status, open `frames` and their ESM-2 `tokens`.

    `segments` and `segment_tokens` are added where it is covered by segments. `reverse_frames` and `reverse_tokens`, of
    open frames, are added where both strands are scored, and where it is covered by segments too `reverse_segments` and
    `reverse_segment_tokens`.
    """

    records: int = 0
    bases: int = 0
    chunks: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    tokens: int = 0
    segments: int = 0
    segment_tokens: int = 0
    reverse_frames: int = 0
    reverse_tokens: int = 0
    reverse_segments: int = 0
    reverse_segment_tokens: int = 0

    def of_reverse(self, coverage: Coverage) -> tuple[int, int]:
        """Frames and tokens that scoring both strands adds to a job with this coverage."""
        if coverage is Coverage.FRAMES:
            return self.reverse_frames, self.reverse_tokens
        return self.reverse_frames + self.reverse_segments, self.reverse_tokens + self.reverse_segment_tokens


def cost_of(
    inputs: Sequence[ReadInput],
    *,
    chunk_length: int,
    min_length: int,
    strict: bool,
    most_bases: int | None = None,
) -> Cost:
    """The cost of a job over `inputs`, with what segments and the other strand would add to it.

    `chunk_length` and `min_length` are bases. With `most_bases` about so many bases of their beginning are counted.

    Chunks that have a segment are counted as `partial_frame`. Raises as `frame_batches` does.
    """
    cost, last_record, covered = Cost(), -1, 0
    batches = frame_batches(
        inputs,
        chunk_length=chunk_length,
        min_length=min_length,
        strict=strict,
        coverage=Coverage.SEGMENTS,
        both_strands=True,
    )
    for batch in batches:
        chunks = batch.chunks
        ordinals = chunks["record_ordinal"].to_numpy()
        # A record is counted at its first row, of which a batch may hold the others alone.
        begins = ordinals != [last_record, *ordinals[:-1].tolist()]
        last_record = int(ordinals[-1])
        cost.records += int(begins.sum())
        cost.bases += int(chunks["record_length"].to_numpy()[begins].sum())
        statuses = pc.value_counts(chunks["status"].filter(pc.greater(chunks["chunk"], 0))).to_pylist()
        for entry in statuses:
            cost.chunks[entry["values"]] = cost.chunks.get(entry["values"], 0) + entry["counts"]
        _count_frames(cost, batch)
        covered += int(chunks["end"].to_numpy().sum() - chunks["start"].to_numpy().sum())
        if most_bases is not None and covered >= most_bases:
            # A record that was not counted whole counts with the bases that were.
            cost.bases = min(cost.bases, covered)
            break
    return cost


def _count_frames(cost: Cost, batch: FrameBatch) -> None:
    tokens, owners = frame_tokens(batch.frames), FrameOwners.of(batch.chunks)
    is_segment = np.where(
        owners.is_reverse,
        pc.equal(batch.chunks["reverse"], ReverseChunk.SEGMENT.value).to_numpy()[owners.rows],
        are_segments(batch.chunks)[owners.rows],
    )
    for is_chosen, frames, total in (
        (~owners.is_reverse & ~is_segment, "frames", "tokens"),
        (~owners.is_reverse & is_segment, "segments", "segment_tokens"),
        (owners.is_reverse & ~is_segment, "reverse_frames", "reverse_tokens"),
        (owners.is_reverse & is_segment, "reverse_segments", "reverse_segment_tokens"),
    ):
        setattr(cost, frames, getattr(cost, frames) + int(is_chosen.sum()))
        setattr(cost, total, getattr(cost, total) + int(tokens[is_chosen].sum()))
