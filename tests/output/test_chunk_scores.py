from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pybedtools
import pytest
from output.random_jobs import random_chunks, random_cuts
from output.tables import Chunk, read_table, shard_of, write

NAME = "chunk_scores.bedgraph"


def intervals(file: Path) -> list[tuple[str, int, int, float]]:
    """What bedtools reads."""
    return [(it.chrom, it.start, it.end, float(it.fields[3])) for it in pybedtools.BedTool(str(file))]


def test_shared_bases_are_given_to_the_later_chunk_if_that_has_a_score(tmp_path: Path) -> None:
    chunks = [
        Chunk(0, b"c", 1, 0, 500, 1850, [0.75, 0.5]),
        Chunk(0, b"c", 2, 450, 950, 1850, [0.25]),
        Chunk(0, b"c", 3, 900, 1400, 1850, status="no_open_frame"),
        Chunk(0, b"c", 4, 1350, 1850, 1850, [1.0]),
        Chunk(1, b"d", 1, 0, 150, 150, [0.5]),
    ]
    write(tmp_path, shard_of(chunks))
    assert (tmp_path / NAME).read_text() == "c\t0\t450\t0.625\nc\t450\t950\t0.25\nc\t1350\t1850\t1\nd\t0\t150\t0.5\n"


@pytest.mark.parametrize("seed", range(10))
def test_every_base_of_a_scored_chunk_lies_in_one_interval(tmp_path: Path, seed: int) -> None:
    chunks = random_chunks(seed)
    write(tmp_path, *map(shard_of, random_cuts(chunks, seed)))
    found = intervals(tmp_path / NAME)
    scored = [chunk for chunk in chunks if chunk.virus and not chunk.quarantined]
    assert [(name, start) for name, start, *_ in found] == [(it.record_id.decode(), it.start) for it in scored]
    assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairwise(found))
    bases = {(chunk.record_id.decode(), base) for chunk in scored for base in range(chunk.start, chunk.end)}
    assert {(name, base) for name, start, end, _ in found for base in range(start, end)} == bases
    means = [row["mean_viral_score"] for row in read_table(tmp_path / "chunks.tsv") if row["status"] == "scored"]
    assert [score for *_, score in found] == [float(mean) for mean in means]


def test_no_score_gives_an_empty_file(tmp_path: Path) -> None:
    write(tmp_path, shard_of([Chunk(0, b"short", 0, 0, 0, 20, [], "too_short", "length 20")]))
    assert (tmp_path / NAME).read_bytes() == b""
    assert intervals(tmp_path / NAME) == []
