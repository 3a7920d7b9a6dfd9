"""BGZF files are gzip files that samtools reads, and their bytes depend on the content alone."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from pathlib import Path

import pysam
import pytest

from virnucpro_tasks.output.bgzf import BLOCK_BYTES, BLOCKS_PER_CALL, END_MARK, BgzfWriter, bgzf_blocks

NUCLEOTIDES = random.Random(1).randbytes(40 * BLOCK_BYTES).translate(b"ACGT" * 64)


def written(*pieces: bytes) -> bytes:
    file = io.BytesIO()
    with BgzfWriter(file) as writer:
        for piece in pieces:
            writer.write(piece)
    return file.getvalue()


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, BLOCKS_PER_CALL * BLOCK_BYTES, len(NUCLEOTIDES)])
def test_gzip_reads_it_back(size: int) -> None:
    packed = written(NUCLEOTIDES[:size])
    assert gzip.decompress(packed) == NUCLEOTIDES[:size]
    assert packed.endswith(END_MARK) and gzip.decompress(END_MARK) == b""


def test_bytes_do_not_depend_on_how_the_content_comes() -> None:
    whole = written(NUCLEOTIDES)
    assert written(*(NUCLEOTIDES[at : at + 999] for at in range(0, len(NUCLEOTIDES), 999))) == whole
    # Neither a name nor a time.
    assert whole[:12] == bytes.fromhex("1f8b08040000000000ff0600")


def test_content_that_cannot_be_compressed_fits_into_its_block() -> None:
    noise = random.Random(2).randbytes(3 * BLOCK_BYTES)
    packed = bgzf_blocks(noise)
    assert gzip.decompress(packed) == noise
    size = int.from_bytes(packed[16:18], "little") + 1
    assert packed[size : size + 4] == END_MARK[:4]


def test_it_is_smaller_than_what_gzip_makes_of_nucleotides() -> None:
    assert len(written(NUCLEOTIDES)) < len(gzip.compress(NUCLEOTIDES, 6))
    assert len(written(b"N" * 10**6)) < 10**4


@pytest.mark.parametrize("letter", [b"N", b"n"])
def test_long_runs_of_unknown_bases_take_next_to_no_room(letter: bytes) -> None:
    half = BLOCK_BYTES // 2
    packed = written(NUCLEOTIDES[:half] + letter * half + NUCLEOTIDES[half : 2 * half])
    assert gzip.decompress(packed) == NUCLEOTIDES[:half] + letter * half + NUCLEOTIDES[half : 2 * half]
    assert len(packed) < len(written(NUCLEOTIDES[: 2 * half])) + 1_000


def test_samtools_finds_a_record_in_the_middle(tmp_path: Path) -> None:
    file = tmp_path / "x.fasta.gz"
    lines = [b">r%d\n%b\n" % (number, NUCLEOTIDES[number * 1000 : number * 1000 + 999]) for number in range(2_000)]
    file.write_bytes(written(b"".join(lines)))
    with pysam.FastaFile(str(file)) as fasta:
        assert fasta.fetch("r1500", 10, 30).encode() == NUCLEOTIDES[1_500_010:1_500_030]


def test_an_error_leaves_the_file_without_its_end_mark() -> None:
    file = io.BytesIO()
    with pytest.raises(zlib.error), BgzfWriter(file) as writer:
        writer.write(b"ACGT")
        raise zlib.error
    assert not file.getvalue()
