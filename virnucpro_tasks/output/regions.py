"""Regions: runs of neighbouring chunks called virus. A chunk that is called others, or has no score, ends one."""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

import numpy as np

from virnucpro_tasks.classifier.consensus import mean_virus_score
from virnucpro_tasks.output.fields import scores
from virnucpro_tasks.output.scored import ScoredRows


class VirusRegion(NamedTuple):
    """Neighbouring chunks of a record, all called virus, or those of them in one shard.

    `ordinal` is the number of the record, from 0; `start` and `end` are 0-based, the end excluded. `virus_sum` and
    `highest` are over `frames` scored frames (see `ChunkScores`); `mean_text` and `highest_text` are mean and highest
    P(virus) as tables write them.
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
    mean_text: bytes
    highest_text: bytes

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
    begin, end = virus[firsts], virus[lasts]
    frames = np.add.reduceat(rows.scores.frames[virus], firsts).tolist()
    virus_sums = np.add.reduceat(rows.scores.virus_sum[virus], firsts).tolist()
    highest = np.maximum.reduceat(rows.scores.highest_virus[virus], firsts).tolist()
    # Those of a region of one chunk, as most are, are the texts of the chunk.
    mean_texts, highest_texts = (
        [texts[row] for row in begin.tolist()] for texts in (rows.mean_texts, rows.highest_texts)
    )
    for place in np.flatnonzero(firsts != lasts).tolist():
        mean_texts[place], highest_texts[place] = scores(
            [mean_virus_score(virus_sums[place], frames[place]), highest[place]]
        )
    columns = (
        records[firsts].tolist(),
        [rows.ids[row] for row in begin.tolist()],
        chunks[firsts].tolist(),
        chunks[lasts].tolist(),
        rows.starts[begin].tolist(),
        rows.ends[end].tolist(),
        frames,
        virus_sums,
        highest,
        mean_texts,
        highest_texts,
    )
    # As `VirusRegion` makes them, without a call of a Python function for each.
    return list(map(tuple.__new__, repeat(VirusRegion), zip(*columns, strict=True)))


def settled_regions(one: list[VirusRegion], other: list[VirusRegion]) -> tuple[list[VirusRegion], list[VirusRegion]]:
    """Two regions, each a list of its own; if the second goes on where the first ends, none and both as one."""
    (before,), (after,) = one, other
    if (after.ordinal, after.first_chunk) != (before.ordinal, before.last_chunk + 1):
        return one, other
    return [], [joined_regions(before, after)]


def joined_regions(one: VirusRegion, other: VirusRegion) -> VirusRegion:
    """Two parts of one region together."""
    frames, virus_sum = one.frames + other.frames, one.virus_sum + other.virus_sum
    highest = max(one.highest, other.highest)
    mean_text, highest_text = scores([mean_virus_score(virus_sum, frames), highest])
    return VirusRegion(
        ordinal=one.ordinal,
        record_id=one.record_id,
        first_chunk=one.first_chunk,
        last_chunk=other.last_chunk,
        start=one.start,
        end=other.end,
        frames=frames,
        virus_sum=virus_sum,
        highest=highest,
        mean_text=mean_text,
        highest_text=highest_text,
    )
