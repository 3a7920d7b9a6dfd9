"""BAM files for tests."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import pysam

HEADER = {"HD": {"VN": "1.6"}, "SQ": [{"SN": "chr1", "LN": 1_000}]}
END_MARK_BYTES = 28
"""Length of the empty block that ends a BAM file."""


@dataclass(frozen=True)
class Read:
    """An alignment: unaligned and alone unless `flag` says otherwise."""

    name: str
    sequence: str
    flag: int = 4


def write_bam(file: Path, *reads: Read) -> Path:
    """A BAM file with these alignments."""
    with pysam.AlignmentFile(str(file), "wb", header=HEADER) as target:
        for read in reads:
            alignment = pysam.AlignedSegment(target.header)
            alignment.query_name, alignment.flag = read.name, read.flag
            alignment.query_sequence = read.sequence or None
            if not read.flag & 4:
                alignment.reference_id, alignment.reference_start = 0, 1
                alignment.cigarstring = f"{len(read.sequence)}M"
            target.write(alignment)
    return file


def bam_bytes(folder: Path, *reads: Read) -> bytes:
    """The content of such a file."""
    return write_bam(folder / "made.bam", *reads).read_bytes()


def unpacked(content: bytes) -> bytes:
    """The content of a BAM file without its compression."""
    return gzip.decompress(content)
