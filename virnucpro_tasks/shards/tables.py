"""The two tables of a shard, frames and chunks, as Parquet files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.reads.tables import (
    BOTH_STRANDS_SCHEMA,
    CHUNK_SCHEMA,
    FRAME_SCHEMA,
    NO_CODON,
    REVERSE_COLUMNS,
    FrameBatch,
    FrameOwners,
    Status,
)
from virnucpro_tasks.shards.cut import frame_tokens
from virnucpro_tasks.shards.plan import ShardEntry
from virnucpro_tasks.system.file_operations import persistently, read_bytes, utf8_path
from virnucpro_tasks.system.files import atomic_path, file_sha256

COMPRESSION = "zstd"

SEQUENCES = ("nucleotides", "protein")
"""Columns of the frame table that hold the sequences of frames."""

OPTIONAL = {"mate": 0, "description": b""}
"""Columns of the chunk table that a file lacks if all of its rows have this value."""


def write_shard(batch: FrameBatch, *, frames: Path, chunks: Path) -> ShardEntry:
    """Write both tables of a shard atomically and return its entry for the plan."""
    without = [name for name, value in OPTIONAL.items() if pc.all(pc.equal(batch.chunks[name], value)).as_py()]
    stored = batch.chunks.drop_columns(without)
    for table, path in ((stored, chunks), (batch.frames, frames)):
        with atomic_path(path) as temporary, utf8_path(temporary) as place:
            write = partial(pq.write_table, table, place, compression=COMPRESSION, write_page_checksum=True)
            persistently(write)
    tokens = frame_tokens(batch.frames)
    owners = FrameOwners.of(batch.chunks)
    is_segment = are_segments(batch.chunks)[owners.rows] & ~owners.is_reverse
    return ShardEntry(
        chunk_rows=batch.chunks.num_rows,
        frames=batch.frames.num_rows,
        tokens=int(tokens.sum()),
        digest=frames_digest(batch.frames),
        frames_sha256=file_sha256(frames),
        chunks_sha256=file_sha256(chunks),
        segments=int(is_segment.sum()),
        segment_tokens=int(tokens[is_segment].sum()),
        reverse_frames=int(owners.is_reverse.sum()),
        reverse_tokens=int(tokens[owners.is_reverse].sum()),
    )


def are_segments(chunks: pa.Table) -> np.ndarray:
    """Whether a segment stands for each row of a chunk table, bool (chunk rows,)."""
    return pc.equal(chunks["status"], Status.PARTIAL_FRAME.value).to_numpy()


def have_codons(chunks: pa.Table) -> np.ndarray:
    """Whether each row of a chunk table has an unambiguous codon, bool (chunk rows,); true also without a chunk."""
    return pc.not_equal(chunks["reason"], NO_CODON).to_numpy()


def frames_digest(frames: pa.Table) -> str:
    """SHA-256 (hex) of the sequences of a frame table; independent of how Parquet stores them."""
    digest = hashlib.sha256()
    for column in SEQUENCES:
        array = frames[column].combine_chunks() if frames[column].num_chunks else pa.array([], pa.string())
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        lengths = np.diff(np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1])
        digest.update(len(array).to_bytes(8, "little") + lengths.tobytes())
        digest.update("".join(array.to_pylist()).encode())
    return digest.hexdigest()


def read_table(path: Path, *, sha256: str | None = None) -> pa.Table:
    """Read a frame or chunk table, checked by its page checksums, and by its digest if that is given.

    Raises DamagedError for a file that is missing, cut off or changed.
    """
    table = _read(path, sha256, None)
    # Names and types of columns stand in the footer, which has no checksum.
    if table.schema.equals(FRAME_SCHEMA):
        return table
    for name, value in OPTIONAL.items():
        if name not in table.schema.names:
            place = min(CHUNK_SCHEMA.get_field_index(name), len(set(table.schema.names) - set(REVERSE_COLUMNS)))
            constant = pa.repeat(pa.scalar(value, CHUNK_SCHEMA.field(name).type), table.num_rows)
            table = table.add_column(place, CHUNK_SCHEMA.field(name), constant)
    if not (table.schema.equals(CHUNK_SCHEMA) or table.schema.equals(BOTH_STRANDS_SCHEMA)):
        raise DamagedError(path)
    return table


def read_frame_places(path: Path, *, sha256: str) -> pa.Table:
    """Read a frame table without its sequences, which are most of it; otherwise as `read_table`."""
    schema = pa.schema([field for field in FRAME_SCHEMA if field.name not in SEQUENCES])
    table = _read(path, sha256, schema.names)
    if not table.schema.equals(schema):
        raise DamagedError(path)
    return table


def read_columns(path: Path, names: Sequence[str], *, sha256: str) -> pa.Table:
    """Read some columns of a chunk table, none of those that it may lack; otherwise as `read_table`."""
    table = _read(path, sha256, list(names))
    if not table.schema.equals(pa.schema([BOTH_STRANDS_SCHEMA.field(name) for name in names])):
        raise DamagedError(path)
    return table


def _read(path: Path, sha256: str | None, columns: list[str] | None) -> pa.Table:
    try:
        content = read_bytes(path)
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise DamagedError(path)
        # A table of a shard is so small that threads only take time.
        return pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read(
            columns, use_threads=False
        )
    except (FileNotFoundError, UnicodeDecodeError, pa.ArrowException):
        raise DamagedError(path) from None
    except OSError as error:
        # Arrow says so of a page or a footer that it cannot read; what the system says has a number.
        if error.errno is None:
            raise DamagedError(path) from None
        raise
