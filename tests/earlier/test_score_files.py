from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from virnucpro_tasks.earlier.score_files import is_call_file, is_score_file, read_calls, read_frame_scores
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.shards.imported import sequence_digests

REAL = ("test_fixed_500bp_merged", "test_fixed_500bp_refactored/test_fixed_500bp_merged")


@pytest.mark.parametrize("folder", REAL)
def test_real_files_of_both_dialects_are_read(folder: str, shared: Path) -> None:
    frames = shared / "reference" / folder / "prediction_results.txt"
    chunks = shared / "reference" / folder / "prediction_results_highestscore.csv"
    assert is_score_file(frames) and not is_call_file(frames)
    assert is_call_file(chunks) and not is_score_file(chunks)
    scores, calls = read_frame_scores(frames), read_calls(chunks)
    assert len(scores) == 4 and len(calls) == 2
    assert scores.other_calls(calls) == 0
    place = scores.places(sequence_digests(["fixed_500bp_seq1_chunk_1R3", "no_chunk_1R3"]))
    assert place[1] == -1
    assert scores.scores[place[0]] == pytest.approx([0.21817714, 0.7818229], abs=1e-6)


def test_digits_of_both_dialects_are_one_number(tmp_path: Path) -> None:
    read, pair32 = [], [np.float32(0.12100612), np.float32(0.8789939)]
    texts = {"original": list(map(str, pair32)), "broad": [repr(float(score)) for score in pair32]}
    for name, pair in texts.items():
        file = tmp_path / name
        file.write_text("score2\tSequence_ID\tscore1\n" + f"{pair[1]}\ta_chunk_1F1\t{pair[0]}\n")
        read.append(read_frame_scores(file).scores)
    assert read[0].dtype == np.float32 and np.array_equal(*read)


@pytest.mark.parametrize("columns", [2, 4])
def test_calls_have_two_columns_or_four_in_any_order(columns: int, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    rows = [["max_score_1", "Is_Virus", "Modified_ID", "max_score_0"], ["0.5", "True", "a_chunk_1", "0.5"]]
    file.write_text("".join("\t".join(row[: 3 if columns == 2 else 4]) + "\n" for row in rows))
    assert read_calls(file) == {b"a_chunk_1": True}


def test_calls_that_the_scores_do_not_give_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "scores.txt"
    file.write_text(
        "Sequence_ID\tscore1\tscore2\na_chunk_1F1\t0.6\t0.4\na_chunk_1R1\t0.4\t0.6\nb_chunk_1F1\t0.6\t0.4\n"
    )
    scores = read_frame_scores(file)
    # A tie of the highest scores is a virus; a chunk without scores has no call.
    assert scores.other_calls({b"a_chunk_1": True, b"b_chunk_1": False}) == 0
    assert scores.other_calls({b"a_chunk_1": False, b"b_chunk_1": True, b"c_chunk_1": True}) == 3


def test_labels_that_the_scores_do_not_give_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "scores.txt"
    rows = ("a_chunk_1F1\tvirus\t0.6\t0.4", "a_chunk_1F2\tothers\t0.6\t0.4", "a_chunk_1R1\tvirus\t0.4\t0.6")
    # Rounded to a tie, the scores of a frame say nothing about its label.
    ties = ("b_chunk_1F1\tvirus\t0.5\t0.5", "b_chunk_1F2\tothers\t0.5\t0.5")
    file.write_text("".join(f"{row}\n" for row in ("Sequence_ID\tPrediction\tscore1\tscore2", *rows, *ties)))
    assert read_frame_scores(file).mislabelled == 1
    file.write_text("Sequence_ID\tscore1\tscore2\na_chunk_1F1\t0.6\t0.4\n")
    assert read_frame_scores(file).mislabelled == 0


def test_a_call_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("Modified_ID\tIs_Virus\na_chunk_1\tyes\n")
    with pytest.raises(InputError, match="line 2: Is_Virus is neither True nor False"):
        read_calls(file)
