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
    elsewhere = {"mate", "segment_score"}
    assert list(rows[0]) == [column.name for column in CHUNK_COLUMNS if column.name not in elsewhere]
    assert [(row["record_id"], row["chunk"], row["status"], row["frames"]) for row in rows] == [
        ("contig", "1", "scored", "2"),
        ("contig", "2", "no_open_frame", "0"),
        ("bad", "1", "scored", "1"),
    ]
    assert [row["call"] for row in rows] == ["virus", "NA", "others"]
    assert (rows[0]["start"], rows[0]["end"], rows[0]["mean_viral_score"]) == ("0", "500", "0.625")
    assert rows[1]["reason"] == "no frame without a stop codon"
    assert [row["highest_viral_score"] for row in rows] == ["0.75", "NA", "0.25"]


def test_a_segment_has_a_score_that_is_no_score_of_frames(tmp_path: Path) -> None:
    partial = Chunk(0, b"contig", 2, 450, 950, 950, [0.875], "partial_frame", "its longest segment is scored")
    write(tmp_path, shard_of([CHUNKS[0], partial]), has_segments=True)
    rows = read_table(tmp_path / "chunks.tsv")
    assert [row["segment_score"] for row in rows] == ["NA", "0.875"]
    found = rows[1]
    assert (found["status"], found["start"], found["end"]) == ("partial_frame", "450", "950")
    assert (found["frames"], found["reason"]) == ("0", "its longest segment is scored")
    assert {found[name] for name in ("highest_viral_score", "mean_viral_score", "call")} == {"NA"}
