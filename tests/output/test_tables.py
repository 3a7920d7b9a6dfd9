from __future__ import annotations

from pathlib import Path

from output.tables import Chunk, read_table, shard_of, write

from virnucpro_tasks.output.tables import CHUNK_COLUMNS, RECORD_COLUMNS

CHUNKS = [
    Chunk(0, b"contig", 1, 0, 500, 950, [0.75, 0.5]),
    Chunk(0, b"contig", 2, 450, 950, 950, [], "no_open_frame", "no frame without a stop codon"),
    Chunk(1, b"-rf", 0, 0, 0, 20, [], "too_short", "length 20, below the minimum of 60 bases"),
    Chunk(2, b"bad", 0, 0, 0, 7, [], "invalid", 'illegal character "\\t" on line 9'),
    Chunk(3, b"bad", 1, 0, 300, 300, [0.25]),
]


def test_a_row_for_every_record_in_input_order(tmp_path: Path) -> None:
    write(tmp_path, shard_of(CHUNKS), model_label="demonstration (DEMONSTRATION)")
    rows = read_table(tmp_path / "records.tsv")
    assert tuple(rows[0]) == RECORD_COLUMNS
    assert RECORD_COLUMNS[0] == "record_id"
    assert [row["record_id"] for row in rows] == ["contig", "-rf", "bad", "bad"]
    assert [row["record"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["status"] for row in rows] == ["scored", "too_short", "invalid", "scored"]
    assert [row["call"] for row in rows] == ["virus", "NA", "NA", "others"]
    assert {row["model"] for row in rows} == {"demonstration (DEMONSTRATION)"}
    first = rows[0]
    assert (first["length"], first["chunks"], first["scored_chunks"], first["scored_fraction"]) == (
        "950",
        "2",
        "1",
        "0.5263",
    )
    assert (first["highest_viral_score"], first["mean_viral_score"]) == ("0.75", "0.625")
    assert rows[2]["reason"] == CHUNKS[3].reason
    assert (rows[1]["highest_viral_score"], rows[1]["mean_viral_score"]) == ("NA", "NA")


def test_a_row_for_every_chunk_with_its_status(tmp_path: Path) -> None:
    write(tmp_path, shard_of(CHUNKS[:1]), shard_of(CHUNKS[1:]))
    rows = read_table(tmp_path / "chunks.tsv")
    assert tuple(rows[0]) == CHUNK_COLUMNS
    assert [(row["record_id"], row["chunk"], row["status"], row["frames"]) for row in rows] == [
        ("contig", "1", "scored", "2"),
        ("contig", "2", "no_open_frame", "0"),
        ("bad", "1", "scored", "1"),
    ]
    assert [row["call"] for row in rows] == ["virus", "NA", "others"]
    assert (rows[0]["start"], rows[0]["end"], rows[0]["mean_viral_score"]) == ("0", "500", "0.625")
    assert rows[1]["reason"] == "no frame without a stop codon"


def test_names_of_input_files_are_quoted_like_ids(tmp_path: Path) -> None:
    write(tmp_path, shard_of(CHUNKS), input_names=["=a\tb\udcff.fasta"])
    assert read_table(tmp_path / "records.tsv")[0]["input"] == "=a\tb\udcff.fasta"
