from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.frames import open_frames
from virnucpro_tasks.reads.tables import CHUNK_SCHEMA, FRAME_NAMES, FRAME_SCHEMA, Status

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "outputs.md"


def test_every_status_is_documented() -> None:
    words = set(re.findall(r"`(\w+)`", DOCUMENT.read_text()))
    assert {status.value for status in Status} <= words


def test_frame_names_are_in_the_order_of_frame_numbers() -> None:
    bases = b"GCAGCAGCAGCAGCAGC"
    frames = open_frames(bases, np.array([0]), np.array([len(bases)]))
    assert [FRAME_NAMES[number] for number in frames.frames.tolist()] == ["F1", "F2", "F3", "R1", "R2", "R3"]
    starts = [frames.nucleotides.content[at : at + 3] for at in frames.nucleotides.offsets[:-1].tolist()]
    assert starts == [b"GCA", b"CAG", b"AGC", b"GCT", b"CTG", b"TGC"]


def test_tables_of_a_batch_have_the_schemas(tmp_path: Path) -> None:
    file = tmp_path / "reads.fasta"
    file.write_bytes(b">\xff\xfe text\n" + b"GCA" * 50 + b"\n>short\nAC\n>bad\nA-\n")
    (batch,) = frame_batches([ReadInput(file, "reads")], chunk_length=100)
    assert (batch.chunks.schema, batch.frames.schema) == (CHUNK_SCHEMA, FRAME_SCHEMA)
    rows = batch.chunks.to_pylist()
    assert [row["status"] for row in rows] == ["scored", "scored", "too_short", "invalid"]
    assert [(row["record_id"], row["chunk"]) for row in rows[:2]] == [(b"\xff\xfe", 1), (b"\xff\xfe", 2)]
    assert [(row["chunk"], row["start"], row["end"], row["frames"]) for row in rows[2:]] == [(0, 0, 0, 0)] * 2
    assert sum(row["frames"] for row in rows) == batch.frames.num_rows
