from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from output.random_jobs import random_chunks, random_cuts, with_segments
from output.tables import Chunk, shard_of, write
from output.test_record_ranks import COVERED

from virnucpro_tasks.reads.tables import Status

CHUNKS = [
    Chunk(0, b"contig", 1, 0, 500, 950, [0.75, 0.5]),
    Chunk(0, b"contig", 2, 450, 950, 950, [0.1], quarantined=True),
    Chunk(1, b"short", 0, 0, 0, 20, [], "too_short", "length 20"),
    Chunk(2, b"read", 1, 0, 150, 150, [0.25]),
    Chunk(3, b"stops", 1, 0, 500, 500, [], "no_open_frame", "no frame without a stop codon"),
]


def files(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_counts_add_up(tmp_path: Path) -> None:
    counts = write(tmp_path, shard_of(CHUNKS, reason="NaN"))
    assert counts.records == {Status.SCORED: 2, Status.TOO_SHORT: 1, Status.NO_OPEN_FRAME: 1}
    assert counts.chunks == {Status.SCORED: 2, Status.QUARANTINED: 1, Status.NO_OPEN_FRAME: 1}
    assert (counts.frames, counts.virus_records, counts.virus_chunks, counts.short_records) == (3, 1, 1, 1)


def test_the_first_problems_are_told_with_input_record_and_reason(tmp_path: Path) -> None:
    bad = [Chunk(n, b"bad\x1b%d" % n, 0, 0, 0, 7, [], "invalid", f"empty id, line {n}") for n in range(20)]
    counts = write(tmp_path, shard_of(bad))
    assert counts.problems == [f"reads.fasta, record 'bad\\\\x1b{n}': empty id, line {n}" for n in range(10)]
    (quarantine,) = write(tmp_path, shard_of(CHUNKS, reason="NaN")).problems
    assert quarantine == "reads.fasta, record 'contig': 1 of 2 chunks quarantined: NaN"


def test_the_bytes_do_not_depend_on_where_shards_are_cut(tmp_path: Path) -> None:
    write(tmp_path / "whole", shard_of(CHUNKS, reason="NaN"))
    write(tmp_path / "cut", *(shard_of([chunk], reason="NaN") for chunk in CHUNKS))
    assert files(tmp_path / "whole") == files(tmp_path / "cut")


def test_a_demonstration_says_so_beside_files_that_have_no_room_for_it(tmp_path: Path) -> None:
    write(tmp_path / "real", shard_of(CHUNKS))
    write(tmp_path / "demo", shard_of(CHUNKS), demonstration=True)
    added = set(files(tmp_path / "demo")) - set(files(tmp_path / "real"))
    assert added == {"DEMONSTRATION.txt"}
    assert "Do not draw conclusions" in (tmp_path / "demo" / "DEMONSTRATION.txt").read_text()


def test_no_shards_give_headers(tmp_path: Path) -> None:
    counts = write(tmp_path)
    assert counts.records.total() == 0
    assert {name: content.count(b"\n") for name, content in files(tmp_path).items()} == {
        "records.tsv": 1,
        "virus_summary.tsv": 1,
        "contigs.tsv": 1,
        "chunks.tsv": 1,
        "prediction_results.txt": 1,
        "prediction_results_highestscore.csv": 1,
        "virus_regions.bed": 1,
        "virus_regions.gff3": 1,
        "chunk_scores.bedgraph": 0,
        "virus.fasta.gz": 0,
    }


@pytest.mark.parametrize("seed", range(10))
def test_tables_of_frames_do_not_know_of_segments_and_no_table_of_cuts(tmp_path: Path, seed: int) -> None:
    chunks = with_segments(random_chunks(seed), seed)
    nothing = {"virus": [], "status": "no_open_frame", "quarantined": False}
    closed = [replace(chunk, **nothing) if chunk.status == "partial_frame" else chunk for chunk in chunks]
    shards = {"whole": [chunks], "cut": random_cuts(chunks, seed), "single": [[chunk] for chunk in chunks]}
    for name, parts in shards.items():
        write(tmp_path / name, *(replace(shard_of(part), record_score=COVERED) for part in parts), has_segments=True)
    write(tmp_path / "frames", replace(shard_of(closed), record_score=COVERED.by_frames()))
    for file in (tmp_path / "whole").iterdir():
        assert (
            file.read_bytes()
            == (tmp_path / "cut" / file.name).read_bytes()
            == (tmp_path / "single" / file.name).read_bytes()
        )
    for name in ("prediction_results.txt", "prediction_results_highestscore.csv", "contigs.tsv", "virus_regions.bed"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "frames" / name).read_bytes()
