"""Files that unpack to a thousand times their size: memory stays bounded by the limits of a record."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from functools import partial
from pathlib import Path

import pytest
from reads.zstd_files import zstd_bytes

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.records import Limits

BOMBS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": partial(lzma.compress, preset=0), "zstd": zstd_bytes}


@pytest.mark.parametrize(
    ("compression", "head"),
    [("gzip", b">"), ("gzip", b"@a\n"), ("gzip", b""), *((name, b">a\n") for name in BOMBS)],
)
def test_memory_is_bounded_whatever_a_file_unpacks_to(tmp_path: Path, compression: str, head: bytes) -> None:
    size = 60_000_000
    file = tmp_path / "in.fa"
    file.write_bytes(BOMBS[compression](head + (b"A" if head else b"\n") * size))
    assert file.stat().st_size < size / 500
    limits = Limits(bases=1_000_000, fastq_record_bytes=1_000_000)
    tracemalloc.start()
    with pytest.raises(InputError):
        for _ in frame_batches([ReadInput(file, "in.fa")], chunk_length=500, limits=limits):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2


@pytest.mark.parametrize(
    ("line", "problem"), [(b">\n", "empty id and empty sequence"), (b">a\n", "empty"), (b">a\n-\n", "illegal")]
)
def test_records_without_end_that_hold_nothing_are_given_up(tmp_path: Path, line: bytes, problem: str) -> None:
    size = 120_000_000
    file = tmp_path / "in.fa.gz"
    file.write_bytes(gzip.compress(b">good\n" + b"ACGTTGCA" * 40 + b"\n" + line * (size // len(line)), 1))
    rows = 0
    tracemalloc.start()
    with pytest.raises(
        InputError, match=rf"in.fa.gz, line 3.*{problem}.*: 5,001 of the first 5,002 records are invalid"
    ):
        for batch in frame_batches(
            [ReadInput(file, "in.fa.gz")], chunk_length=500, limits=Limits(invalid_records=5_000)
        ):
            rows += batch.chunks.num_rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows <= 5_002
    assert peak < size / 2


def test_as_many_invalid_records_as_valid_ones_are_only_listed(tmp_path: Path) -> None:
    file = tmp_path / "in.fa"
    file.write_bytes((b">good\n" + b"ACGTTGCA" * 10 + b"\n>aligned\n-\n") * 30)
    batches = frame_batches([ReadInput(file, "in.fa")], chunk_length=500, limits=Limits(invalid_records=5))
    statuses = [status for batch in batches for status in batch.chunks["status"].to_pylist()]
    assert statuses.count("invalid") == 30
