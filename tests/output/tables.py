"""What tests of result files share: a job's shards made by hand, with scores that are easy to follow."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.part import shard_part
from virnucpro_tasks.output.results import write_results
from virnucpro_tasks.output.scored import ScoredShard
from virnucpro_tasks.output.table import TableStyle
from virnucpro_tasks.reads.tables import CHUNK_SCHEMA, FRAME_SCHEMA


@dataclass(frozen=True)
class Chunk:
    """One chunk row: P(virus) of each of its frames, or no frame at all."""

    record: int
    record_id: bytes
    chunk: int
    start: int
    end: int
    length: int
    virus: list[float] = field(default_factory=list)
    status: str = "scored"
    reason: str = ""
    quarantined: bool = False
    mate: int = 0
    description: bytes = b""


def table_of(columns: dict[str, list[Any]], schema: pa.Schema) -> pa.Table:
    """A table of these columns; a column of the schema that is not among them is empty."""
    rows = len(next(iter(columns.values())))
    return pa.table([pa.array(columns.get(field.name, [None] * rows), field.type) for field in schema], schema=schema)


def shard_of(chunks: list[Chunk], *, reason: str = "") -> ScoredShard:
    """A shard whose frames are F1, F2, … of each chunk; those of a `quarantined` chunk are quarantined."""
    fields = {
        "record_ordinal": "record",
        "record_length": "length",
        **{name: name for name in ("record_id", "chunk", "start", "end", "status", "reason", "mate", "description")},
    }
    rows: dict[str, list[Any]] = {column: [getattr(chunk, name) for chunk in chunks] for column, name in fields.items()}
    rows |= {"input_ordinal": [0] * len(chunks), "frames": [len(chunk.virus) for chunk in chunks]}
    owners = [(chunk, place) for chunk in chunks for place in range(len(chunk.virus))]
    frames: dict[str, list[Any]] = {
        "record_ordinal": [chunk.record for chunk, _ in owners],
        "chunk": [chunk.chunk for chunk, _ in owners],
        "frame": [place for _, place in owners],
        "nucleotides": ["A"] * len(owners),
        "protein": ["M"] * len(owners),
    }
    scores = np.array([[1 - value, value] for chunk in chunks for value in chunk.virus], np.float32).reshape(-1, 2)
    return ScoredShard(
        table_of(rows, CHUNK_SCHEMA),
        table_of(frames, FRAME_SCHEMA),
        scores,
        np.array([chunk.quarantined for chunk in chunks for _ in chunk.virus], bool),
        {chunk.record: reason for chunk in chunks} if reason else {},
    )


def write(directory: Path, *shards: ScoredShard, demonstration: bool = False, **changed: Any) -> ResultCounts:
    """`write_results` for a job of `shards` in an everyday style, or one `changed`."""
    directory.mkdir(exist_ok=True)
    style = replace(TableStyle("original", ["reads.fasta"], "model", 500), **changed)
    return write_results((shard_part(shard, style) for shard in shards), directory, style, demonstration=demonstration)


def read_table(file: Path) -> list[dict[str, str]]:
    """A table as the csv module reads it."""
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))
