from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import unquote_to_bytes

import gffutils
import pybedtools
import pytest
from output.random_jobs import random_chunks, random_cuts
from output.tables import Chunk, shard_of, write

from virnucpro_tasks.output.region_files import BED_COLUMNS, GFF_ATTRIBUTES, GFF_COLUMNS, REGION_FILES
from virnucpro_tasks.output.regions import virus_regions
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import TableStyle

BED, GFF, SCORES = "virus_regions.bed", "virus_regions.gff3", "chunk_scores.bedgraph"

CONTIG = [
    Chunk(0, b"c", 1, 0, 500, 1400, [0.75, 0.5]),
    Chunk(0, b"c", 2, 450, 950, 1400, [0.875]),
    Chunk(0, b"c", 3, 900, 1400, 1400, [0.125]),
    Chunk(1, b"gi|7|x", 1, 0, 150, 150, [1.0]),
]

HOSTILE = [
    b"read/1",
    b"#x",
    b"##FASTA",
    b">x",
    b"!x",
    b"@HD",
    b"track",
    b"browser",
    b"chrom",
    b".",
    b"=1+1",
    b"-x",
    b'"q',
    b'a"b',
    b"'",
    b"%41",
    b"100%",
    b"\x00",
    b"\x1b[31m",
    b"a\x0bb",
    b"\xff\xfe",
    "Grün\u2028".encode(),
    b"<script>alert(1)</script>",
    b"a;b=c,d&e",
    b"NA",
    b"007",
    b"x" * 10_000,
]


def features(file: Path) -> list[gffutils.Feature]:
    """What gffutils reads; it refuses ids that are not unique."""
    database = gffutils.create_db(str(file), ":memory:", merge_strategy="error")
    return list(database.all_features())


def test_bed_is_read_by_bedtools(tmp_path: Path) -> None:
    write(tmp_path, shard_of(CONTIG))
    assert [tuple(it.fields) for it in pybedtools.BedTool(str(tmp_path / BED))] == [
        ("c", "0", "950", "region_1_1", "708", ".", "1-2", "2", "3", "0.708333", "0.875"),
        ("gi|7|x", "0", "150", "region_2_1", "1000", ".", "1-1", "1", "1", "1", "1"),
    ]
    with (tmp_path / BED).open() as file:
        assert next(file) == "#" + "\t".join(column.name for column in BED_COLUMNS) + "\n"


def test_gff_is_read_by_gffutils(tmp_path: Path) -> None:
    write(tmp_path, shard_of(CONTIG))
    one, other = features(tmp_path / GFF)
    assert (one.seqid, one.source, one.featuretype, one.start, one.end) == ("c", "virnucpro", "viral_sequence", 1, 950)
    assert (one.score, one.strand, one.frame, one.id, other.id) == ("0.708333", ".", ".", "region_1_1", "region_2_1")
    assert dict(one.attributes) == {
        "ID": ["region_1_1"],
        "Name": ["chunks 1-2"],
        "record": ["1"],
        "chunks": ["2"],
        "frames": ["3"],
        "highest_viral_score": ["0.875"],
    }
    assert list(dict(one.attributes)) == [column.name for column in GFF_ATTRIBUTES]
    lines = (tmp_path / GFF).read_text().splitlines()
    assert lines[0] == "##gff-version 3"
    assert {len(line.split("\t")) for line in lines[1:]} == {len(GFF_COLUMNS)}


@pytest.mark.parametrize("name", [BED, GFF, SCORES])
def test_hostile_ids_are_read_back(tmp_path: Path, name: str) -> None:
    write(tmp_path, shard_of([Chunk(n, record_id, 1, 0, 150, 150, [0.9]) for n, record_id in enumerate(HOSTILE)]))
    read = pybedtools.BedTool(str(tmp_path / name))
    assert [unquote_to_bytes(it.chrom) for it in read] == HOSTILE
    with (tmp_path / name).open(encoding="ascii", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if not row[0].startswith("#")]
    assert [unquote_to_bytes(row[0]) for row in rows] == HOSTILE
    if name == GFF:
        assert [unquote_to_bytes(it.seqid) for it in features(tmp_path / name)] == HOSTILE


@pytest.mark.parametrize("seed", range(10))
def test_the_bytes_do_not_depend_on_where_shards_are_cut(tmp_path: Path, seed: int) -> None:
    chunks = random_chunks(seed)
    write(tmp_path / "whole", shard_of(chunks))
    write(tmp_path / "cut", *map(shard_of, random_cuts(chunks, seed)))
    for name in (BED, GFF, SCORES):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    assert pybedtools.BedTool(str(tmp_path / "cut" / BED)).count() > 2


def test_records_are_numbered_within_their_sample() -> None:
    style = TableStyle("original", ["reads.fasta"], "model", 500, sample="s", first_record=5)
    regions = virus_regions(ScoredRows.of(shard_of([Chunk(7, b"c", 1, 0, 500, 500, [0.9])])))
    lines = REGION_FILES.lines(regions, style)
    assert b"".join(lines[f"s/{BED}"]).split(b"\t")[3] == b"region_3_1"
    assert b"ID=region_3_1;Name=chunks 1-1;record=3;" in b"".join(lines[f"s/{GFF}"])


def test_names_begin_with_the_prefix_of_the_job(tmp_path: Path) -> None:
    write(tmp_path, shard_of(CONTIG), prefix="S1_")
    assert {f"S1_{name}" for name in (BED, GFF, SCORES)} < {file.name for file in tmp_path.iterdir()}


def test_no_region_gives_files_of_headers(tmp_path: Path) -> None:
    write(tmp_path)
    assert pybedtools.BedTool(str(tmp_path / BED)).count() == 0
    assert (tmp_path / GFF).read_text() == "##gff-version 3\n"
