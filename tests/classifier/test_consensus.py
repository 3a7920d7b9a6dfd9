from __future__ import annotations

import csv
import io
import math
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.classifier.consensus import (
    SUM_BITS,
    chunk_scores,
    frame_is_virus,
    mean_virus_score,
)
from virnucpro_tasks.classifier.log_odds import LARGEST_LOG_ODDS, LOG_ODDS_BITS
from virnucpro_tasks.shards.plan import MAX_CHUNK_ROWS

STORED = (
    "reference_vanilla_output",
    "test_with_orfs_merged",
    "test_fixed_500bp_merged",
    "test_with_orfs_refactored/test_with_orfs_merged",
    "test_fixed_500bp_refactored/test_fixed_500bp_merged",
)
probabilities = st.floats(0, 1, width=32)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


@pytest.mark.parametrize("folder", STORED)
def test_stored_labels_and_calls_come_out_again(shared: Path, folder: str) -> None:
    place = shared / "reference" / folder
    frames = rows((place / "prediction_results.txt").read_text())
    chunks = rows((place / "prediction_results_highestscore.csv").read_text())
    scores = np.array([[row["score1"], row["score2"]] for row in frames], np.float32)
    groups = [(name, len(list(group))) for name, group in groupby(row["Sequence_ID"][:-2] for row in frames)]
    found = chunk_scores(scores, np.array([count for _, count in groups]))
    labels = ["virus" if is_virus else "others" for is_virus in frame_is_virus(scores)]
    assert labels == [row["Prediction"] for row in frames]
    assert [name for name, _ in groups] == [row["Modified_ID"] for row in chunks]
    assert [str(call) for call in found.is_virus] == [row["Is_Virus"] for row in chunks]


def test_a_tie_of_a_frame_is_others_and_of_a_chunk_is_virus() -> None:
    scores = np.array([[0.5, 0.5]], np.float32)
    assert not frame_is_virus(scores)[0]
    assert chunk_scores(scores, np.array([1])).is_virus[0]


def test_one_confident_frame_decides_a_chunk() -> None:
    scores = np.array([[0.55, 0.45], [0.06, 0.94]], np.float32)
    assert chunk_scores(scores, np.array([2])).is_virus[0]
    assert not chunk_scores(scores[:1], np.array([1])).is_virus[0]


def test_chunks_without_frames_have_no_call_wherever_they_stand() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2]], np.float32)
    found = chunk_scores(scores, np.array([0, 1, 0, 0, 1, 0]))
    assert found.is_virus.tolist() == [False, True, False, False, False, False]
    assert [math.isnan(mean) for mean in found.means] == [True, False, True, True, False, True]
    assert chunk_scores(np.empty((0, 2), np.float32), np.array([0, 0])).frames.tolist() == [0, 0]


@given(st.lists(st.lists(probabilities, max_size=6), max_size=20))
def test_the_rule_in_plain_python(chunks: list[list[float]]) -> None:
    scores = np.array([[1 - virus, virus] for chunk in chunks for virus in chunk], np.float32).reshape(-1, 2)
    found = chunk_scores(scores, np.array([len(chunk) for chunk in chunks], np.int64))
    at = 0
    for place, chunk in enumerate(chunks):
        own = scores[at : at + len(chunk)]
        at += len(chunk)
        assert found.is_virus[place] == (len(own) > 0 and own[:, 1].max() >= own[:, 0].max())
        if len(own):
            assert found.means[place] == pytest.approx(float(own[:, 1].mean()), abs=1e-6)


@given(st.lists(probabilities, min_size=1, max_size=50), st.data())
def test_a_sum_does_not_depend_on_where_it_is_cut(virus: list[float], data: st.DataObject) -> None:
    scores = np.array([[0, value] for value in virus], np.float32)
    cut = data.draw(st.integers(0, len(virus)))
    whole = chunk_scores(scores, np.array([len(virus)]))
    parts = chunk_scores(scores, np.array([cut, len(virus) - cut]))
    assert parts.virus_sum.sum() == whole.virus_sum[0]
    assert parts.log_odds_sum.sum() == whole.log_odds_sum[0]


def test_the_mean_of_a_record() -> None:
    half = 1 << (SUM_BITS - 1)
    assert mean_virus_score(3 * half, 6) == 0.25
    assert math.isnan(mean_virus_score(0, 0))


def test_the_sum_of_the_largest_shard_fits() -> None:
    frames = 6 * MAX_CHUNK_ROWS
    one = int(chunk_scores(np.ones((1, 2), np.float32), np.array([1])).virus_sum[0])
    assert one == 1 << SUM_BITS
    assert frames * one <= np.iinfo(np.int64).max
    certain = int(chunk_scores(np.array([[0, 1]], np.float32), np.array([1])).log_odds_sum[0])
    assert certain == int(LARGEST_LOG_ODDS) << LOG_ODDS_BITS
    assert frames * certain <= np.iinfo(np.int64).max
