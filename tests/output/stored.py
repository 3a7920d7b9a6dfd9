"""Result files of the existing tools that are stored in `shared/reference`, as shards."""

from __future__ import annotations

import csv
import io
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from output.tables import Chunk, shard_of

from virnucpro_tasks.output.scored import ScoredShard
from virnucpro_tasks.reads.tables import FRAME_NAMES


def stored_shard(frames_file: Path) -> ScoredShard:
    """The shard that a stored prediction_results.txt tells of."""
    rows = list(csv.DictReader(io.StringIO(frames_file.read_text()), delimiter="\t"))
    chunks, names, scores = [], [], []
    for record, (chunk_id, group) in enumerate(groupby(rows, key=lambda row: row["Sequence_ID"][:-2])):
        members = list(group)
        record_id, _, number = chunk_id.rpartition("_chunk_")
        chunks.append(Chunk(record, record_id.encode(), int(number), 0, 500, 500, [0.5] * len(members)))
        names += [FRAME_NAMES.index(row["Sequence_ID"][-2:]) for row in members]
        scores += [[row["score1"], row["score2"]] for row in members]
    shard = shard_of(chunks)
    column = shard.frames.schema.get_field_index("frame")
    frames = shard.frames.set_column(column, shard.frames.schema.field("frame"), pa.array(names, pa.int8()))
    return ScoredShard(shard.chunks, frames, np.array(scores, np.float32), shard.quarantined, {})
