"""Random jobs for tests of result files: records cut as the original tool does, with random frames and scores."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from output.tables import Chunk

from virnucpro_tasks.reads.chunks import all_chunk_bounds
from virnucpro_tasks.reads.tables import NO_CODON

CHUNK_LENGTH = 10


def random_chunks(seed: int, *, records: int = 12) -> list[Chunk]:
    """The chunk rows of a job; half of the records are viruses, with chunks that have no score or another call."""
    source = random.Random(seed)
    lengths = np.array([source.choice((1, 9, 10, 11, 15, 19, 20, 21, 95, 137)) for _ in range(records)])
    is_virus = [source.random() < 0.5 for _ in range(records)]
    return [
        Chunk(
            record, b"r%d" % record, chunk + 1, start, end, int(lengths[record]), **_outcome(source, is_virus[record])
        )
        for record, chunk, start, end in zip(
            *(column.tolist() for column in all_chunk_bounds(lengths, CHUNK_LENGTH)), strict=True
        )
    ]


def random_cuts(chunks: list[Chunk], seed: int) -> list[list[Chunk]]:
    """The same rows as consecutive shards."""
    source = random.Random(seed)
    cuts = sorted(source.sample(range(1, len(chunks)), source.randint(0, len(chunks) - 1)))
    return [chunks[first:last] for first, last in zip([0, *cuts], [*cuts, len(chunks)], strict=True)]


def with_segments(chunks: list[Chunk], seed: int) -> list[Chunk]:
    """The same rows with a segment for half of the chunks without an open frame, and for some that had one."""
    source = random.Random(seed)
    found = []
    for chunk in chunks:
        if source.random() < (0.3 if chunk.virus else 0.5):
            chunk = replace(chunk, virus=[source.random()], status="partial_frame", reason="a segment")
        found.append(chunk)
    return found


def _outcome(source: random.Random, is_virus: bool) -> dict:
    kind = source.random()
    if kind < 0.1:
        return {"status": "no_open_frame", "reason": NO_CODON if kind < 0.04 else "no frame without a stop codon"}
    lowest = 0.5 if is_virus and kind < 0.8 else 0.0
    virus = [source.uniform(lowest, 1) for _ in range(source.randint(1, 6))]
    return {"virus": virus, "quarantined": 0.1 <= kind < 0.15}
