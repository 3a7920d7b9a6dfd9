from __future__ import annotations

from pathlib import Path

from output.tables import Chunk, read_table, shard_of, write

from virnucpro_tasks.output.chunks import CHUNK_COLUMNS

CHUNKS = [
    Chunk(0, b"contig", 1, 0, 500, 950, [0.75, 0.5]),
    Chunk(0, b"contig", 2, 450, 950, 950, [], "no_open_frame", "no frame without a stop codon"),
    Chunk(1, b"-rf", 0, 0, 0, 20, [], "too_short", "length 20, below the minimum of 60 bases"),
    Chunk(3, b"bad", 1, 0, 300, 300, [0.25]),
]


def test_a_row_for_every_chunk_with_its_status(tmp_path: Path) -> None:
    write(tmp_path, shard_of(CHUNKS[:1]), shard_of(CHUNKS[1:]))
    rows = read_table(tmp_path / "chunks.tsv")
    assert list(rows[0]) == [column.name for column in CHUNK_COLUMNS if column.name != "mate"]
    assert [(row["record_id"], row["chunk"], row["status"], row["frames"]) for row in rows] == [
        ("contig", "1", "scored", "2"),
        ("contig", "2", "no_open_frame", "0"),
        ("bad", "1", "scored", "1"),
    ]
    assert [row["call"] for row in rows] == ["virus", "NA", "others"]
    assert (rows[0]["start"], rows[0]["end"], rows[0]["mean_viral_score"]) == ("0", "500", "0.625")
    assert rows[1]["reason"] == "no frame without a stop codon"
    assert [row["highest_viral_score"] for row in rows] == ["0.75", "NA", "0.25"]
