"""Files that unpack to a thousand times their size: memory stays bounded by the limits of a record."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.records import Limits

BOMBS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize(
    ("compression", "head"),
    [("gzip", b">"), ("gzip", b"@a\n"), ("gzip", b""), *((name, b">a\n") for name in BOMBS)],
)
def test_memory_is_bounded_whatever_a_file_unpacks_to(tmp_path: Path, compression: str, head: bytes) -> None:
    size = 200_000_000
    file = tmp_path / "in.fa"
    file.write_bytes(BOMBS[compression](head + (b"A" if head else b"\n") * size))
    assert file.stat().st_size < size / 500
    limits = Limits(bases=1_000_000, fastq_record_bytes=1_000_000)
    tracemalloc.start()
    with pytest.raises(InputError):
        list(frame_batches([ReadInput(file, "in.fa")], chunk_length=500, limits=limits))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2
