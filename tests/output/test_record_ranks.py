from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from output.random_jobs import random_chunks, random_cuts, with_segments
from output.tables import Chunk, shard_of

from virnucpro_tasks.classifier.class_prior import estimated_prior, given_prior
from virnucpro_tasks.classifier.false_discoveries import false_discoveries
from virnucpro_tasks.classifier.log_odds_bins import BINS, bins_of
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.models.sizes import FittedRecordScore, FittedSegments, FittedWithoutFrames
from virnucpro_tasks.output.record_ranks import ranked_records, ranked_shard, rates_of
from virnucpro_tasks.output.records import RecordMerger, record_summaries
from virnucpro_tasks.output.scored import NUMBER_COLUMNS, ScoredNumbers, ScoredRows, ScoredShard

FITTED = RecordScore(FittedRecordScore(intercept=-0.25, slope=0.5, slope_per_log_frames=1.5))


COVERED = RecordScore(
    FittedRecordScore(
        -0.25, 0.5, 1.5, segments=FittedSegments(0.75, -0.5, 0.25), without_frames=FittedWithoutFrames(-2.0, 0.5)
    )
)


def numbers_of(shard: ScoredShard, rule: RecordScore = FITTED) -> ScoredNumbers:
    """As finishing reads them: without the columns of texts."""
    return ScoredNumbers.gathered(shard.chunks.select(NUMBER_COLUMNS), shard.scores, shard.quarantined, rule)


def counted(parts: list[list[Chunk]], rule: RecordScore = FITTED) -> np.ndarray:
    return ranked_records(ranked_shard(numbers_of(shard_of(part), rule)) for part in parts)


@pytest.mark.parametrize("rule", [FITTED, COVERED], ids=["frames", "segments"])
@pytest.mark.parametrize("seed", range(20))
def test_counts_are_those_of_the_written_records_however_shards_are_cut(seed: int, rule: RecordScore) -> None:
    chunks = random_chunks(seed) if rule is FITTED else with_segments(random_chunks(seed), seed)
    merger = RecordMerger()
    rows = ScoredRows.of(replace(shard_of(chunks), record_score=rule))
    records = [*merger.add(record_summaries(rows)), *merger.end()]
    values = np.array([record.score.log_odds for record in records if record.score.is_scored])
    expected = np.bincount(bins_of(values), minlength=BINS)
    assert expected.sum() > 0
    np.testing.assert_array_equal(counted([chunks], rule), expected)
    np.testing.assert_array_equal(counted(random_cuts(chunks, seed), rule), expected)
    np.testing.assert_array_equal(counted([[chunk] for chunk in chunks], rule), expected)


@pytest.mark.parametrize("share", [0.25, None])
def test_rates_are_for_the_share_that_is_given_or_estimated(share: float | None) -> None:
    shards = [ranked_shard(numbers_of(shard_of(random_chunks(seed, records=200)))) for seed in (1, 2)]
    found = rates_of(shards, share=share)
    counts = ranked_records(shards)
    prior = given_prior(counts, 0.25) if share else estimated_prior(counts)
    assert found.prior == prior and not prior.refusal and found.rates is not None
    np.testing.assert_array_equal(found.rates, false_discoveries(counts, prior).rates)


def test_records_without_a_score_are_not_counted() -> None:
    chunks = [
        Chunk(0, b"a", 1, 0, 9, 9, status="no_open_frame"),
        Chunk(1, b"b", 1, 0, 9, 9, [0.9], quarantined=True),
        Chunk(2, b"c", 0, 0, 0, 9, status="too_short"),
        Chunk(3, b"d", 1, 0, 9, 9, [0.9]),
    ]
    assert counted([chunks]).sum() == 1 and counted([chunks[:3]]).sum() == 0 and counted([[]]).sum() == 0
    assert counted([]).shape == (BINS,)
