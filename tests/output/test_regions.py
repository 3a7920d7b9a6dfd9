from __future__ import annotations

import numpy as np
import pytest
from output.random_jobs import random_chunks, random_cuts
from output.tables import Chunk, shard_of

from virnucpro_tasks.output.fields import scores
from virnucpro_tasks.output.regions import VirusRegion, joined_regions, settled_regions, virus_regions
from virnucpro_tasks.output.scored import ScoredRows

CONTIG = [
    Chunk(0, b"c", 1, 0, 500, 1850, [0.75, 0.5]),
    Chunk(0, b"c", 2, 450, 950, 1850, [0.875]),
    Chunk(0, b"c", 3, 900, 1400, 1850, [0.125]),
    Chunk(0, b"c", 4, 1350, 1850, 1850, [0.5, 1.0]),
]


def regions(*shards: list[Chunk]) -> list[VirusRegion]:
    """The regions of a job, as its shards are merged."""
    found: list[VirusRegion] = []
    for shard in shards:
        for region in virus_regions(ScoredRows.of(shard_of(shard))):
            before, last = settled_regions([found.pop()], [region]) if found else ([], [region])
            found += [*before, *last]
    return found


def as_read(chunks: list[Chunk]) -> list[tuple]:
    """The regions as the documents define them, chunk by chunk: record, chunks, bounds, frames, scores."""
    runs: list[list[Chunk]] = []
    before = None
    for chunk in chunks:
        if chunk.virus and not chunk.quarantined and max(chunk.virus) >= 1 - min(chunk.virus):
            if runs and before is runs[-1][-1] and before.record == chunk.record:
                runs[-1].append(chunk)
            else:
                runs.append([chunk])
        before = chunk
    found = []
    for run in runs:
        scores = np.array([score for chunk in run for score in chunk.virus], np.float32).astype(float)
        bounds = (run[0].chunk, run[-1].chunk, run[0].start, run[-1].end)
        found.append((run[0].record, *bounds, len(scores), pytest.approx(scores.mean(), abs=1e-9), scores.max()))
    return found


def test_neighbouring_chunks_called_virus_are_one_region() -> None:
    first, second = regions(CONTIG)
    assert (first.first_chunk, first.last_chunk, first.chunks, first.start, first.end) == (1, 2, 2, 0, 950)
    assert (first.frames, first.mean, first.highest) == (3, (0.75 + 0.5 + 0.875) / 3, 0.875)
    assert (first.mean_text, first.highest_text) == (b"0.708333", b"0.875")
    assert (second.first_chunk, second.last_chunk, second.start, second.end) == (4, 4, 1350, 1850)


@pytest.mark.parametrize(
    "between",
    [
        Chunk(0, b"c", 2, 450, 950, 1400, status="no_open_frame"),
        Chunk(0, b"c", 2, 450, 950, 1400, [0.9], quarantined=True),
        Chunk(0, b"c", 2, 450, 950, 1400, [0.25]),
    ],
)
def test_a_chunk_without_a_score_or_with_another_call_ends_a_region(between: Chunk) -> None:
    chunks = [CONTIG[0], between, Chunk(0, b"c", 3, 900, 1400, 1400, [0.9])]
    assert [(it.start, it.end) for it in regions(chunks)] == [(0, 500), (900, 1400)]
    assert regions(*([chunk] for chunk in chunks)) == regions(chunks)


def test_records_of_one_id_have_regions_of_their_own() -> None:
    mates = [Chunk(record, b"read", 1, 0, 150, 150, [0.9], mate=record + 1) for record in range(2)]
    assert [(it.ordinal, it.chunks) for it in regions(mates)] == [(0, 1), (1, 1)]


def test_a_region_of_many_shards_has_the_sum_of_all_its_scores() -> None:
    shards = [[Chunk(0, b"c", n + 1, 450 * n, 450 * n + 500, 45_000, [1.0] * 6)] for n in range(100)]
    (region,) = regions(*shards)
    assert (region.chunks, region.frames, region.virus_sum) == (100, 600, 600 << 40)
    # More than an int64 holds.
    half = region._replace(last_chunk=1 << 23, frames=3 << 23, virus_sum=3 << 63)
    whole = joined_regions(half, half._replace(first_chunk=half.last_chunk + 1, last_chunk=2 * half.last_chunk))
    assert (whole.chunks, whole.frames, whole.mean, whole.mean_text) == (1 << 24, 6 << 23, 1.0, b"1")


@pytest.mark.parametrize("seed", range(20))
def test_regions_are_as_documented_wherever_shards_are_cut(seed: int) -> None:
    chunks = random_chunks(seed)
    found = regions(chunks)
    assert [
        (it.ordinal, it.first_chunk, it.last_chunk, it.start, it.end, it.frames, it.mean, it.highest) for it in found
    ] == as_read(chunks)
    assert regions(*random_cuts(chunks, seed)) == found
    for region in found:
        assert [region.mean_text, region.highest_text] == scores([region.mean, region.highest])
