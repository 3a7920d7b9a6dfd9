from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from virnucpro_tasks.classifier.log_odds import LOG_ODDS_BITS, probability
from virnucpro_tasks.classifier.record_score import (
    RecordLogOdds,
    RecordScore,
    SegmentSums,
    joined_log_odds,
    log_counts,
    records_log_odds,
)
from virnucpro_tasks.models.sizes import FittedRecordScore, FittedSegments, FittedWithoutFrames

SEGMENTS = FittedSegments(slope=0.75, intercept=-0.5, weight=0.25)
WITHOUT = FittedWithoutFrames(intercept=-2.0, per_log_length=0.5)
COVERED = RecordScore(FittedRecordScore(-0.25, 0.5, 1.5, segments=SEGMENTS, without_frames=WITHOUT))
FITTED = RecordScore(FittedRecordScore(intercept=-0.25, slope=0.5, slope_per_log_frames=1.5))
totals = st.integers(-(2**40), 2**40)
parts = st.lists(st.tuples(st.integers(0, 300), totals), min_size=1, max_size=20)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    frames, sums = np.array(pairs, np.int64).T
    return frames, sums


@given(parts)
def test_fitted_values_scale_the_mean_with_the_number_of_frames(pairs: list[tuple[int, int]]) -> None:
    found = FITTED.log_odds(*arrays(pairs)).tolist()
    for (frames, total), value in zip(pairs, found, strict=True):
        if frames == 0:
            assert value == 0
            continue
        mean = total / frames / 2**LOG_ODDS_BITS
        assert value == pytest.approx(-0.25 + mean * (0.5 + 1.5 * math.log(frames)), abs=1e-9)


def test_a_head_without_values_takes_the_sum_by_the_root_of_the_number() -> None:
    rule = RecordScore()
    assert not rule.is_fitted and FITTED.is_fitted
    one = 1 << LOG_ODDS_BITS
    assert rule.log_odds(np.array([4, 9, 1]), np.array([6 * one, -3 * one, 0])).tolist() == [3.0, -1.0, 0.0]


@given(parts, st.sampled_from([FITTED, RecordScore()]))
def test_a_record_has_the_same_value_wherever_it_stands(pairs: list[tuple[int, int]], rule: RecordScore) -> None:
    together = list(records_log_odds(rule, *arrays(pairs)))
    alone = [next(records_log_odds(rule, *arrays([pair]))) for pair in pairs]
    assert together == alone


@given(parts, st.sampled_from([FITTED, RecordScore()]))
def test_parts_of_a_record_join_to_the_whole(pairs: list[tuple[int, int]], rule: RecordScore) -> None:
    first, *others = records_log_odds(rule, *arrays(pairs))
    for part in others:
        first = joined_log_odds(first, part)
    frames, sums = arrays(pairs)
    (whole,) = records_log_odds(rule, frames.sum(keepdims=True), sums.sum(keepdims=True))
    assert first == whole


@given(st.integers(1, 10**6), totals)
def test_the_call_is_the_score_before_it_is_rounded(frames: int, total: int) -> None:
    (found,) = records_log_odds(FITTED, np.array([frames]), np.array([total]))
    assert found.is_virus == (found.log_odds >= 0)
    assert found.score == probability(found.log_odds)
    assert not found.is_virus or found.score >= 0.5


def test_a_record_without_frames_has_no_score_and_is_no_virus() -> None:
    (found,) = records_log_odds(FITTED, np.array([0]), np.array([0]))
    assert math.isnan(found.score) and not found.is_virus


def test_more_frames_of_one_mind_are_surer() -> None:
    one = 1 << LOG_ODDS_BITS
    frames = np.array([1, 2, 5, 50])
    for rule in (FITTED, RecordScore()):
        viral = rule.log_odds(frames, frames * one)
        assert (np.diff(viral) > 0).all()


@given(st.lists(st.integers(1, 10**7), max_size=30))
def test_logarithms_are_those_of_python(counts: list[int]) -> None:
    assert log_counts(np.array(counts, np.int64)).tolist() == [math.log(count) for count in counts]


covered_parts = st.lists(
    st.tuples(
        st.integers(0, 30), totals, st.integers(0, 30), totals, st.sampled_from([0, 777]), st.sampled_from([0, 2])
    ),
    min_size=1,
    max_size=12,
)


def covered(rows: list[tuple[int, ...]], rule: RecordScore = COVERED) -> list[RecordLogOdds]:
    frames, sums, *others = np.array(rows, np.int64).T
    return list(records_log_odds(rule, frames, sums, SegmentSums(*others)))


@given(covered_parts)
def test_a_segment_counts_as_its_weight_of_frames(rows: list[tuple[int, ...]]) -> None:
    for (frames, total, segments, segment_total, length, closed), found in zip(rows, covered(rows), strict=True):
        weight = frames + 0.25 * segments
        if weight:
            counted = 0.75 * segment_total / 2**LOG_ODDS_BITS - 0.5 * segments
            mean = (total / 2**LOG_ODDS_BITS + 0.25 * counted) / weight
            expected = -0.25 + mean * (0.5 + 1.5 * math.log(max(weight, 1)))
        else:
            expected = -2.0 + 0.5 * math.log(length) if length and closed else 0
        assert found.log_odds == pytest.approx(expected, abs=1e-9)
        assert found.is_scored == bool(weight or (length and closed))
        assert math.isnan(found.score) != found.is_scored


def test_exact_values() -> None:
    one = 1 << LOG_ODDS_BITS
    # Two frames of 1.5 and four segments of 2, each 0.75 * 2 - 0.5 = 1, weigh three frames: mean 4 / 3.
    (found,) = covered([(2, 3 * one, 4, 8 * one, 900, 0)])
    assert found.log_odds == pytest.approx(-0.25 + 4 / 3 * (0.5 + 1.5 * math.log(3)), abs=1e-12)
    # A single segment weighs less than a frame: its logarithm is that of 1.
    (alone,) = covered([(0, 0, 1, 2 * one, 900, 1)])
    assert alone.log_odds == -0.25 + 1 * 0.5


@given(st.lists(st.tuples(st.integers(1, 300), totals), min_size=1, max_size=20))
def test_without_segments_a_record_of_frames_has_the_score_that_it_has_by_frames(pairs: list[tuple[int, int]]) -> None:
    values = [found.log_odds for found in covered([(*pair, 0, 0, 500, 0) for pair in pairs])]
    assert values == FITTED.log_odds(*arrays(pairs)).tolist()


@given(covered_parts, st.sampled_from([COVERED, FITTED, RecordScore()]))
def test_parts_with_segments_join_to_the_whole(rows: list[tuple[int, ...]], rule: RecordScore) -> None:
    first, *others = covered(rows, rule)
    for part in others:
        first = joined_log_odds(first, part)
    frames, sums, segments, segment_sums, lengths, closed = np.array(rows, np.int64).T
    whole = (frames.sum(), sums.sum(), segments.sum(), segment_sums.sum(), lengths.min(), closed.sum())
    assert [first] == covered([whole], rule)
    assert covered(rows, rule) == [covered([row], rule)[0] for row in rows]


def test_a_head_that_was_not_fitted_to_segments_does_not_count_them() -> None:
    for rule in (FITTED, RecordScore(), COVERED.by_frames()):
        (found,) = covered([(0, 0, 3, 1 << 33, 500, 1)], rule)
        assert not found.is_scored and not found.is_virus and math.isnan(found.score)
    assert COVERED.by_frames() == FITTED
    assert COVERED.has_segments and COVERED.has_lengths and not (FITTED.has_segments or FITTED.has_lengths)


def test_a_record_without_any_codon_has_no_score_by_its_length() -> None:
    read, unread = covered([(0, 0, 0, 0, 900, 2), (0, 0, 0, 0, 900, 0)])
    assert read.log_odds == pytest.approx(-2.0 + 0.5 * math.log(900), abs=1e-12) and read.is_virus
    assert math.isnan(unread.score) and not unread.is_scored and not unread.is_virus
    # A shard that holds nothing but ambiguous letters of a record does not take its score away.
    assert joined_log_odds(unread, read) == read


def test_an_uncertain_fit_divides_log_odds_and_keeps_their_order() -> None:
    rule = RecordScore(structs.replace(FITTED.fitted, scale_variance=0.2))
    frames, means = np.array([1, 3, 40]), np.array([2.5, -1.0, 0.25])
    plain = FITTED.of_means(means, frames)
    for place, value in enumerate(plain.tolist()):
        expected = value / math.sqrt(1 + math.pi / 8 * 0.2 * value**2)
        assert rule.of_means(means, frames)[place] == pytest.approx(expected, rel=1e-12)
    assert (np.argsort(rule.of_means(means, frames)) == np.argsort(plain)).all()
    assert "0.2 * z^2" in rule.formula


def test_a_record_longer_than_any_that_was_fitted_counts_as_the_longest() -> None:
    bounded = RecordScore(structs.replace(COVERED.fitted, without_frames=structs.replace(WITHOUT, longest=2_000)))
    none, lengths = np.zeros(3, np.int64), np.array([500, 2_000, 1_000_000])
    found = bounded.log_odds(none, none, SegmentSums(none, none, lengths, none + 1))
    assert found.tolist() == pytest.approx([-2 + 0.5 * math.log(500)] + [-2 + 0.5 * math.log(2_000)] * 2)
    assert "up to 2000 bases" in bounded.formula


def test_the_rule_is_told_in_one_line() -> None:
    assert FITTED.formula == "-0.25 + mean log-odds of the scored frames * (0.5 + 1.5 * ln(frames))"
    assert COVERED.formula == (
        f"{FITTED.formula}; a segment with log-odds x counts as 0.25 frames with 0.75 * x + -0.5; "
        "without any of both -2 + 0.5 * ln(bases)"
    )
    assert "not calibrated" in RecordScore().formula


@pytest.mark.parametrize("fitted", [None, FITTED.fitted, COVERED.fitted])
def test_two_equal_grids_score_as_one(fitted: FittedRecordScore | None) -> None:
    frames, totals = np.array([1, 3, 0, 0, 40]), np.array([-5, 9, 0, 0, -77]) << 30
    others = SegmentSums(
        np.array([0, 2, 1, 0, 0]), np.array([0, 1, -3, 0, 0]) << 31, np.full(5, 700), np.array([0, 1, 0, 2, 5])
    )
    doubled = SegmentSums(2 * others.segments, 2 * others.totals, others.lengths, 2 * others.closed)
    one, two = RecordScore(fitted), RecordScore(fitted, grids=2)
    assert one.log_odds(frames, totals).tolist() == two.log_odds(2 * frames, 2 * totals).tolist()
    assert one.log_odds(frames, totals, others).tolist() == two.log_odds(2 * frames, 2 * totals, doubled).tolist()
    # A frame in one of the grids alone counts as half a one.
    (found,) = records_log_odds(two, np.array([1]), np.array([6 << 32]))
    assert found.is_scored and two.formula.startswith(one.formula)
    if fitted is None:
        assert found.log_odds == pytest.approx(6 * 0.5**0.5)
