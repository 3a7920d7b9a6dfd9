"""Counts what a job would compute, by cutting its inputs without writing or embedding anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow.compute as pc

from virnucpro_tasks.reads.batches import frame_batches
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.shards.cut import chunk_tokens
from virnucpro_tasks.shards.tables import are_segments


@dataclass(slots=True)
class Cost:
    """The work of a job: `records`, their `bases`, `chunks` by status, open `frames` and their ESM-2 `tokens`.

    `segments` and `segment_tokens` are added where it is covered by segments.
    """

    records: int = 0
    bases: int = 0
    chunks: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    tokens: int = 0
    segments: int = 0
    segment_tokens: int = 0


def cost_of(inputs: Sequence[ReadInput], *, chunk_length: int, min_length: int, strict: bool) -> Cost:
    """The cost of a job over `inputs`, with what segments would add to it; `chunk_length` and `min_length` are bases.

    Chunks that have a segment are counted as `partial_frame`. Raises as `frame_batches` does.
    """
    cost, last_record = Cost(), -1
    batches = frame_batches(
        inputs, chunk_length=chunk_length, min_length=min_length, strict=strict, coverage=Coverage.SEGMENTS
    )
    for batch in batches:
        chunks, tokens, segments = batch.chunks, chunk_tokens(batch), are_segments(batch.chunks)
        ordinals = chunks["record_ordinal"].to_numpy()
        # A record is counted at its first row, of which a batch may hold the others alone.
        begins = ordinals != [last_record, *ordinals[:-1].tolist()]
        last_record = int(ordinals[-1])
        cost.records += int(begins.sum())
        cost.bases += int(chunks["record_length"].to_numpy()[begins].sum())
        statuses = pc.value_counts(chunks["status"].filter(pc.greater(chunks["chunk"], 0))).to_pylist()
        for entry in statuses:
            cost.chunks[entry["values"]] = cost.chunks.get(entry["values"], 0) + entry["counts"]
        cost.segments += int(segments.sum())
        cost.frames += batch.frames.num_rows - int(segments.sum())
        cost.segment_tokens += int(tokens[segments].sum())
        cost.tokens += int(tokens[~segments].sum())
    return cost
