"""Shards with their scores, as the writers of result tables take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import compress

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.classifier.consensus import OTHERS, VIRUS, ChunkScores, chunk_scores
from virnucpro_tasks.classifier.log_odds import frame_log_odds
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.output.fields import integers, scores
from virnucpro_tasks.output.grid_sums import GridSums, reverse_sums
from virnucpro_tasks.reads.tables import FRAME_NAMES, FrameOwners, Status, has_both_strands
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.shards.tables import have_codons

STATUSES = tuple(Status)
"""A status as a number is its place here."""

NUMBER_COLUMNS = ("record_ordinal", "record_length", "frames", "status", "reason")
"""Columns of the chunk table that scores of records need, with REVERSE_COLUMNS for those of both strands."""

UNKNOWN_REASON = "its reason is lost"

_FRAME_SUFFIXES = tuple(name.encode() for name in FRAME_NAMES)


@dataclass(frozen=True, slots=True)
class ScoredShard:
    """One shard.

    `chunks` and `frames` are its tables, of which the second may lack the sequences; `scores` (frames, 2) float32 holds
    P(others), P(virus). `quarantined` (frames,) tells which frames could not be computed, and `reasons` why, by record
    ordinal; a chunk with such a frame is quarantined. `stats` are of the engine that computed its vectors, and
    `record_score` is the rule by which the head scores records.
    """

    chunks: pa.Table
    frames: pa.Table
    scores: npt.NDArray[np.float32]
    quarantined: npt.NDArray[np.bool_]
    reasons: Mapping[int, str]
    stats: EngineStats = field(default_factory=EngineStats)
    record_score: RecordScore = RecordScore()


@dataclass(frozen=True, slots=True)
class ScoredNumbers:
    """The numbers behind scores of records: n chunk rows of one shard, without their texts.

    Columns are as in the chunk table, but `status` (n,) int64 is a place in STATUSES and knows of quarantine.
    `scores` holds scored frames only. Segments are no frames here: `segment_rows` (k,) int64 and `segment_scores`
    (k, 2) float32 tell of each scored one its row, and its P(others) and P(virus). `record_score` is that of the shard.

    `rows_of_frames` (f,) int64 and `is_scored_frame` (f,) bool tell of each row of the frame table to which chunk row
    it belongs, and whether it is a frame of that chunk with a score. Frames of reverse complements are none: they count
    in `sums` alone, from which the scores of records follow.
    """

    records: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    scores: ChunkScores
    segment_rows: npt.NDArray[np.int64]
    segment_scores: npt.NDArray[np.float32]
    record_score: RecordScore
    rows_of_frames: npt.NDArray[np.int64]
    is_scored_frame: npt.NDArray[np.bool_]
    sums: GridSums

    @classmethod
    def gathered(
        cls,
        chunks: pa.Table,
        scores: npt.NDArray[np.float32],
        quarantined: npt.NDArray[np.bool_],
        record_score: RecordScore,
    ) -> ScoredNumbers:
        """Gather `scores` (f, 2) by chunk; `chunks` needs to have the columns NUMBER_COLUMNS only.

        A chunk with a frame that is `quarantined` (f,) is quarantined, be it one of the reverse complement.
        """
        counts = _integers(chunks["frames"])
        owners = FrameOwners.of(chunks)
        rows_of_frames = owners.rows
        is_quarantined = np.zeros(len(counts), bool)
        is_quarantined[rows_of_frames[quarantined]] = True
        status = _integers(pc.index_in(chunks["status"], pa.array([str(status) for status in STATUSES])))
        is_partial = status == STATUSES.index(Status.PARTIAL_FRAME)
        is_scored_frame = ~(is_quarantined | is_partial)[rows_of_frames] & ~owners.is_reverse
        segments = np.flatnonzero((is_partial & ~is_quarantined)[rows_of_frames] & ~owners.is_reverse)
        status[is_quarantined] = STATUSES.index(Status.QUARANTINED)
        of_chunks = chunk_scores(scores[is_scored_frame], np.where(is_quarantined | is_partial, 0, counts))
        is_closed = (status == STATUSES.index(Status.NO_OPEN_FRAME)) & have_codons(chunks)
        sums = _own_sums(of_chunks, rows_of_frames[segments], scores[segments], is_closed)
        if has_both_strands(chunks):
            sums += reverse_sums(chunks, owners, scores, is_quarantined, sums)
        return ScoredNumbers(
            records=_integers(chunks["record_ordinal"]),
            lengths=_integers(chunks["record_length"]),
            status=status,
            scores=of_chunks,
            segment_rows=rows_of_frames[segments],
            segment_scores=scores[segments],
            record_score=record_score,
            rows_of_frames=rows_of_frames,
            is_scored_frame=is_scored_frame,
            sums=sums,
        )

    def __len__(self) -> int:
        return len(self.records)

    def is_status(self, status: Status) -> npt.NDArray[np.bool_]:
        """Mask of the rows that have `status`, bool (rows,)."""
        return self.status == STATUSES.index(status)


@dataclass(frozen=True, slots=True)
class ScoredRows(ScoredNumbers):
    """The chunk rows of one shard, column by column, n each, with what scoring adds to them.

    Further columns are as in the chunk table, `reasons` know of quarantine. `chunk_ids` are the names that the existing
    tools give to chunks: record id, `_chunk_`, number from 1. `start_texts`, `end_texts`, `mean_texts` and
    `highest_texts` are bounds, mean and highest P(virus) as tables write them. `frame_rows`, `frame_names` and
    `frame_scores` (m, 2) tell of each scored frame to which row it belongs, its name and its scores.
    """

    inputs: list[int]
    ids: list[bytes]
    mates: npt.NDArray[np.int64]
    descriptions: list[bytes]
    chunks: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    chunk_ids: list[bytes]
    start_texts: list[bytes]
    end_texts: list[bytes]
    mean_texts: list[bytes]
    highest_texts: list[bytes]
    reasons: list[str]
    frame_rows: list[int]
    frame_names: list[bytes]
    frame_scores: npt.NDArray[np.float32]

    @classmethod
    def of(cls, shard: ScoredShard) -> ScoredRows:
        """Take the columns out of the tables and gather the scores by chunk."""
        chunks = shard.chunks
        numbers = ScoredNumbers.gathered(chunks, shard.scores, shard.quarantined, shard.record_score)
        reasons = chunks["reason"].to_pylist()
        for row in np.flatnonzero(numbers.is_status(Status.QUARANTINED)).tolist():
            reasons[row] = shard.reasons.get(chunks["record_ordinal"][row].as_py(), UNKNOWN_REASON)
        ids, chunk_numbers = chunks["record_id"].to_pylist(), _integers(chunks["chunk"])
        starts, ends = _integers(chunks["start"]), _integers(chunks["end"])
        usable = numbers.is_scored_frame
        return cls(
            **{entry.name: getattr(numbers, entry.name) for entry in fields(ScoredNumbers)},
            inputs=chunks["input_ordinal"].to_pylist(),
            ids=ids,
            mates=_integers(chunks["mate"]),
            descriptions=chunks["description"].to_pylist(),
            chunks=chunk_numbers,
            starts=starts,
            ends=ends,
            chunk_ids=[b"%b_chunk_%d" % pair for pair in zip(ids, chunk_numbers.tolist(), strict=True)],
            start_texts=integers(starts.tolist()),
            end_texts=integers(ends.tolist()),
            mean_texts=scores(numbers.scores.means),
            highest_texts=scores(np.where(numbers.scores.frames > 0, numbers.scores.highest_virus, np.nan).tolist()),
            reasons=reasons,
            frame_rows=numbers.rows_of_frames[usable].tolist(),
            frame_names=[_FRAME_SUFFIXES[frame] for frame in compress(shard.frames["frame"].to_pylist(), usable)],
            frame_scores=shard.scores[usable],
        )


def _own_sums(
    of_chunks: ChunkScores,
    segment_rows: npt.NDArray[np.int64],
    segment_scores: npt.NDArray[np.float32],
    is_closed: npt.NDArray[np.bool_],
) -> GridSums:
    segments, totals = np.zeros((2, len(is_closed)), np.int64)
    segments[segment_rows] = 1
    totals[segment_rows] = frame_log_odds(segment_scores[:, OTHERS], segment_scores[:, VIRUS])
    return GridSums(of_chunks.frames, of_chunks.log_odds_sum, segments, totals, is_closed.astype(np.int64))


def _integers(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64]:
    return np.array(column, dtype=np.int64)
