"""Regions: runs of neighbouring chunks called virus. A chunk that is called others, or has no score, ends one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from virnucpro_tasks.classifier.consensus import mean_virus_score
from virnucpro_tasks.output.scored import ScoredRows


class VirusRegion(NamedTuple):
    """Neighbouring chunks of a record, all called virus, or those of them in one shard.

    `ordinal` is the number of the record, from 0; `start` and `end` are 0-based, the end excluded. `virus_sum` and
    `highest` are over `frames` scored frames (see `ChunkScores`).
    """

    ordinal: int
    record_id: bytes
    first_chunk: int
    last_chunk: int
    start: int
    end: int
    frames: int
    virus_sum: int
    highest: float

    @property
    def chunks(self) -> int:
        return self.last_chunk - self.first_chunk + 1

    @property
    def mean(self) -> float:
        """Mean P(virus) of all scored frames."""
        return mean_virus_score(self.virus_sum, self.frames)


def virus_regions(rows: ScoredRows) -> list[VirusRegion]:
    """The regions of one shard in order; of the first and the last it may hold a part only."""
    virus = np.flatnonzero(rows.scores.is_virus)
    if not len(virus):
        return []
    records, chunks = rows.records[virus], rows.chunks[virus]
    begins = np.append(True, (np.diff(records) != 0) | (np.diff(chunks) != 1))
    firsts = np.flatnonzero(begins)
    lasts = np.append(firsts[1:], len(virus)) - 1
    return list(
        map(
            VirusRegion,
            records[firsts].tolist(),
            [rows.ids[row] for row in virus[firsts].tolist()],
            chunks[firsts].tolist(),
            chunks[lasts].tolist(),
            rows.starts[virus[firsts]].tolist(),
            rows.ends[virus[lasts]].tolist(),
            np.add.reduceat(rows.scores.frames[virus], firsts).tolist(),
            np.add.reduceat(rows.scores.virus_sum[virus], firsts).tolist(),
            np.maximum.reduceat(rows.scores.highest_virus[virus], firsts).tolist(),
        )
    )


def settled_regions(one: list[VirusRegion], other: list[VirusRegion]) -> tuple[list[VirusRegion], list[VirusRegion]]:
    """Two regions, each a list of its own; if the second goes on where the first ends, none and both as one."""
    (before,), (after,) = one, other
    if (after.ordinal, after.first_chunk) != (before.ordinal, before.last_chunk + 1):
        return one, other
    return [], [joined_regions(before, after)]


def joined_regions(one: VirusRegion, other: VirusRegion) -> VirusRegion:
    """Two parts of one region together."""
    return VirusRegion(
        ordinal=one.ordinal,
        record_id=one.record_id,
        first_chunk=one.first_chunk,
        last_chunk=other.last_chunk,
        start=one.start,
        end=other.end,
        frames=one.frames + other.frames,
        virus_sum=one.virus_sum + other.virus_sum,
        highest=max(one.highest, other.highest),
    )
