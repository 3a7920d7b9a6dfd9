"""Shards with their scores, as the writers of result tables take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.classifier.consensus import ChunkScores, chunk_scores
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.output.fields import integers, scores
from virnucpro_tasks.reads.tables import FRAME_NAMES, Status
from virnucpro_tasks.shards.engine_stats import EngineStats

STATUSES = tuple(Status)
"""A status as a number is its place here."""

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
class ScoredRows:
    """The chunk rows of one shard, column by column, n each, with what scoring adds to them.

    Columns are as in the chunk table, but `status` (n,) int64 is a place in STATUSES and knows of quarantine, and
    `reasons` go with it. `chunk_ids` are the names that the existing tools give to chunks: record id, `_chunk_`, number
    from 1. `start_texts`, `end_texts` and `mean_texts` are bounds and mean P(virus) as tables write them.
    `scores` holds scored frames only; `frame_rows`, `frame_names` and `frame_scores` (m, 2) tell
    of each scored frame to which row it belongs, its name and its scores. Segments are no frames here: `segment_rows`
    (k,) int64 and `segment_scores` (k, 2) float32 tell of each scored one its row, and its P(others) and P(virus).
    `record_score` is that of the shard.
    """

    inputs: list[int]
    records: npt.NDArray[np.int64]
    ids: list[bytes]
    lengths: npt.NDArray[np.int64]
    mates: npt.NDArray[np.int64]
    descriptions: list[bytes]
    chunks: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    chunk_ids: list[bytes]
    start_texts: list[bytes]
    end_texts: list[bytes]
    mean_texts: list[bytes]
    status: npt.NDArray[np.int64]
    reasons: list[str]
    scores: ChunkScores
    frame_rows: list[int]
    frame_names: list[bytes]
    frame_scores: npt.NDArray[np.float32]
    segment_rows: npt.NDArray[np.int64]
    segment_scores: npt.NDArray[np.float32]
    record_score: RecordScore

    @classmethod
    def of(cls, shard: ScoredShard) -> ScoredRows:
        """Take the columns out of the tables and gather the scores by chunk."""
        chunks = shard.chunks
        counts = _integers(chunks["frames"])
        frame_rows = np.repeat(np.arange(len(counts)), counts)
        is_quarantined = np.zeros(len(counts), bool)
        is_quarantined[frame_rows[shard.quarantined]] = True
        status = _integers(pc.index_in(chunks["status"], pa.array([str(status) for status in STATUSES])))
        is_partial = status == STATUSES.index(Status.PARTIAL_FRAME)
        usable = ~(is_quarantined | is_partial)[frame_rows]
        segments = np.flatnonzero((is_partial & ~is_quarantined)[frame_rows])
        status[is_quarantined] = STATUSES.index(Status.QUARANTINED)
        reasons = chunks["reason"].to_pylist()
        for row in np.flatnonzero(is_quarantined).tolist():
            reasons[row] = shard.reasons.get(chunks["record_ordinal"][row].as_py(), UNKNOWN_REASON)
        frame_scores = shard.scores[usable]
        ids, numbers = chunks["record_id"].to_pylist(), _integers(chunks["chunk"])
        starts, ends = _integers(chunks["start"]), _integers(chunks["end"])
        gathered = chunk_scores(frame_scores, np.where(is_quarantined | is_partial, 0, counts))
        return cls(
            inputs=chunks["input_ordinal"].to_pylist(),
            records=_integers(chunks["record_ordinal"]),
            ids=ids,
            lengths=_integers(chunks["record_length"]),
            mates=_integers(chunks["mate"]),
            descriptions=chunks["description"].to_pylist(),
            chunks=numbers,
            starts=starts,
            ends=ends,
            chunk_ids=[b"%b_chunk_%d" % pair for pair in zip(ids, numbers.tolist(), strict=True)],
            start_texts=integers(starts.tolist()),
            end_texts=integers(ends.tolist()),
            mean_texts=scores(gathered.means),
            status=status,
            reasons=reasons,
            scores=gathered,
            frame_rows=frame_rows[usable].tolist(),
            frame_names=[_FRAME_SUFFIXES[frame] for frame in compress(shard.frames["frame"].to_pylist(), usable)],
            frame_scores=frame_scores,
            segment_rows=frame_rows[segments],
            segment_scores=shard.scores[segments],
            record_score=shard.record_score,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def is_status(self, status: Status) -> npt.NDArray[np.bool_]:
        """Mask of the rows that have `status`, bool (rows,)."""
        return self.status == STATUSES.index(status)


def _integers(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64]:
    return np.array(column, dtype=np.int64)
