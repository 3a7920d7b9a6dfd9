"""Tables of a sample sheet: those of each sample are as if it were alone, the joint ones hold the same rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
from output.tables import Chunk, read_table, shard_of, write

from virnucpro_tasks.jobs.job import JobSpec
from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.part import shard_part
from virnucpro_tasks.output.results import write_samples, write_summary
from virnucpro_tasks.output.table import TableStyle
from virnucpro_tasks.output.tables import TABLES

FIRST = [
    Chunk(0, b"contig", 1, 0, 500, 950, [0.75, 0.5]),
    Chunk(0, b"contig", 2, 450, 950, 950, [0.1]),
    Chunk(1, b"=1+1", 0, 0, 0, 20, [], "too_short", "length 20"),
]
SECOND = [Chunk(2, b"read", 1, 0, 150, 150, [0.25], mate=1), Chunk(3, b"read", 1, 0, 150, 150, [0.75], mate=2)]
ALONE = TableStyle("original", ["in\tput"], "model", 500)
STYLES = [
    replace(ALONE, any_has_mates=True, sample="a"),
    replace(ALONE, any_has_mates=True, sample="none"),
    replace(ALONE, any_has_mates=True, has_mates=True, sample="b", first_record=2),
]


def written(folder: Path) -> dict[str, ResultCounts]:
    """Samples a, in two shards, `none` without a record, and b."""
    folder.mkdir()
    a, _, b = STYLES
    parts = [
        shard_part(shard_of(FIRST[:1]), a),
        shard_part(shard_of(FIRST[1:]), a),
        shard_part(shard_of(SECOND), b),
    ]
    return write_samples(parts, folder, STYLES, demonstration=True)


def renumbered(chunks: list[Chunk]) -> list[Chunk]:
    return [replace(chunk, record=chunk.record - chunks[0].record) for chunk in chunks]


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_files_of_a_sample_are_those_of_a_job_of_its_own(tmp_path: Path) -> None:
    written(tmp_path / "out")
    for sample, chunks, has_mates in (("a", FIRST, False), ("none", [], False), ("b", SECOND, True)):
        shards = [shard_of(renumbered(chunks))] if chunks else []
        write(tmp_path / sample, *shards, demonstration=True, has_mates=has_mates, input_names=["in\tput"])
        assert content(tmp_path / "out" / sample) == content(tmp_path / sample)
        assert set(content(tmp_path / sample)) == {*(table.name for table in TABLES), "DEMONSTRATION.txt"}


def test_joint_tables_have_the_rows_of_all_samples_with_their_names(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(out)
    for name in ("records.tsv", "chunks.tsv"):
        expected = [
            row | {"mate": row.get("mate", "NA"), "sample": sample}
            for sample in ("a", "b")
            for row in read_table(out / sample / name)
        ]
        rows = read_table(out / name)
        assert rows == expected
        assert list(rows[0])[-1] == "sample"
    rows = read_table(out / "records.tsv")
    assert [(row["sample"], row["record"], row["mate"]) for row in rows] == [
        ("a", "1", "NA"),
        ("a", "2", "NA"),
        ("b", "1", "1"),
        ("b", "2", "2"),
    ]
    # What the existing tools write has no room for a sample
    assert {file.name for file in out.iterdir() if file.is_file()} == {"records.tsv", "chunks.tsv", "DEMONSTRATION.txt"}


def test_the_summary_has_a_row_for_every_sample(tmp_path: Path) -> None:
    counts = written(tmp_path / "out")
    entry = {"name": "x", "bytes": 1, "sha256": ""}
    spec = msgspec.convert(
        {
            **dict.fromkeys(("job_id", "created_at", "bundle_digest", "version"), ""),
            "inputs": [{**entry, "sample": sample} for sample in ("a", "none", "b", "b")],
            "parameters": {
                **dict.fromkeys(("chunk_length", "min_length", "priority", "shard_tokens", "max_attempts"), 0),
                **dict.fromkeys(("precision", "dialect"), ""),
                **dict.fromkeys(("strict", "keep_embeddings"), False),
            },
        },
        JobSpec,
    )
    write_summary(spec, counts, tmp_path, STYLES[0])
    rows = read_table(tmp_path / "samples.tsv")
    columns = ("sample", "files", "records", "virus", "scored", "too_short", "virus_chunks", "scored_chunks")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("a", "1", "2", "0", "1", "1", "1", "2"),
        ("none", "1", "0", "0", "0", "0", "0", "0"),
        ("b", "2", "2", "1", "2", "0", "1", "2"),
    ]
