from __future__ import annotations

from dataclasses import replace

import numpy as np
from output.tables import Chunk, shard_of

from virnucpro_tasks.output.scored import UNKNOWN_REASON, ScoredRows
from virnucpro_tasks.reads.tables import Status

CHUNKS = [
    Chunk(0, b"a", 1, 0, 500, 900, [0.5, 0.75]),
    Chunk(0, b"a", 2, 400, 900, 900, [], "no_open_frame", "stops"),
    Chunk(1, b"b", 1, 0, 500, 500, [0.25], quarantined=True),
]


def test_a_chunk_with_a_quarantined_frame_is_quarantined_and_its_scores_are_left_out() -> None:
    rows = ScoredRows.of(shard_of(CHUNKS, reason="killed"))
    assert [rows.is_status(status).tolist().index(True) for status in (Status.SCORED, Status.QUARANTINED)] == [0, 2]
    assert rows.reasons == ["", "stops", "killed"]
    assert rows.scores.frames.tolist() == [2, 0, 0]
    assert (rows.frame_rows, rows.frame_names) == ([0, 0], [b"F1", b"F2"])
    np.testing.assert_array_equal(rows.frame_scores[:, 1], np.array([0.5, 0.75], np.float32))


def test_a_reason_that_is_lost_is_told() -> None:
    assert ScoredRows.of(replace(shard_of(CHUNKS), reasons={})).reasons[2] == UNKNOWN_REASON


def test_chunk_ids_are_those_of_the_existing_tools() -> None:
    assert ScoredRows.of(shard_of(CHUNKS)).chunk_ids == [b"a_chunk_1", b"a_chunk_2", b"b_chunk_1"]


def test_segments_are_no_frames_and_a_quarantined_one_quarantines_its_chunk() -> None:
    chunks = [
        Chunk(0, b"a", 1, 0, 500, 900, [0.75], "partial_frame", "segment"),
        Chunk(0, b"a", 2, 400, 900, 900, [0.5, 0.25]),
        Chunk(1, b"b", 1, 0, 500, 500, [0.875], "partial_frame", "segment", quarantined=True),
    ]
    rows = ScoredRows.of(shard_of(chunks, reason="killed"))
    assert [rows.is_status(status).tolist().index(True) for status in (Status.PARTIAL_FRAME, Status.SCORED)] == [0, 1]
    assert rows.is_status(Status.QUARANTINED).tolist() == [False, False, True]
    assert rows.reasons == ["segment", "", "killed"]
    assert rows.scores.frames.tolist() == [0, 2, 0]
    assert (rows.frame_rows, rows.frame_names) == ([1, 1], [b"F1", b"F2"])
    assert rows.segment_rows.tolist() == [0]
    np.testing.assert_array_equal(rows.segment_scores, np.array([[0.25, 0.75]], np.float32))
