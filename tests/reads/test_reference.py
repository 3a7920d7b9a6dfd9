"""Chunks, nucleotide slices and proteins equal the files of the original tool byte for byte."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from Bio import SeqIO
from reads.reading import Row, read_files

from virnucpro_tasks.reads.tables import FRAME_NAMES

CHUNK_LENGTH = 500
SETS = {"test_fixed_500bp": 6, "test_with_orfs": 2, "test_sequences_small": 5}
each_set = pytest.mark.parametrize("name", SETS)


def chunk_file(chunks: list[Row], source: Path) -> str:
    """The chunks as the original writes them: wrapped at 60 columns."""
    sequences = {record.id: str(record.seq) for record in SeqIO.parse(source, "fasta")}
    return "".join(
        f">{row['record_id'].decode()}_chunk_{row['chunk']}\n"
        + "\n".join(textwrap.wrap(sequences[row["record_id"].decode()][row["start"] : row["end"]], 60))
        + "\n"
        for row in chunks
    )


def frame_file(chunks: list[Row], frames: list[Row], column: str) -> str:
    """One column of the frame table as the original writes it: one line per sequence."""
    ids = {row["record_ordinal"]: row["record_id"].decode() for row in chunks}
    return "".join(
        f">{ids[row['record_ordinal']]}_chunk_{row['chunk']}{FRAME_NAMES[row['frame']]}\n{row[column]}\n"
        for row in frames
    )


@each_set
def test_chunk_file(shared: Path, name: str) -> None:
    source = shared / "reference" / f"{name}.fa"
    stored = shared / "reference" / f"{name}_chunked500.fa"
    chunks = read_files(source, chunk_length=CHUNK_LENGTH, min_length=0).chunks
    assert chunk_file(chunks, source).encode() == stored.read_bytes()


@each_set
@pytest.mark.parametrize(
    ("column", "suffix"),
    [("nucleotides", "identified_nucleotide.fa"), ("protein", "identified_protein.faa")],
)
def test_frame_file(shared: Path, name: str, column: str, suffix: str) -> None:
    source = shared / "reference" / f"{name}.fa"
    stored = shared / "reference" / f"{name}_{suffix}"
    reading = read_files(source, chunk_length=CHUNK_LENGTH, min_length=0)
    assert frame_file(reading.chunks, reading.frames, column).encode() == stored.read_bytes()
