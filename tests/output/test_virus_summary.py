from __future__ import annotations

import csv
from pathlib import Path

from output.tables import Chunk, read_table, shard_of, write

GENOMAD = (
    *("seq_name", "length", "topology", "coordinates", "n_genes", "genetic_code"),
    *("virus_score", "fdr", "n_hallmarks", "marker_enrichment", "taxonomy"),
)


def test_records_called_virus_are_listed_in_the_columns_of_genomad(tmp_path: Path) -> None:
    chunks = [
        Chunk(0, b"z", 1, 0, 500, 950, [0.75, 0.5]),
        Chunk(0, b"z", 2, 450, 950, 950, [0.9375]),
        Chunk(1, b"no", 1, 0, 500, 500, [0.25]),
        Chunk(2, b"short", 0, 0, 0, 20, [], "too_short", "length 20"),
        Chunk(3, b"a", 1, 0, 300, 300, [0.5]),
    ]
    write(tmp_path, shard_of(chunks[:1]), shard_of(chunks[1:]))
    assert [line.split("\t") for line in (tmp_path / "virus_summary.tsv").read_text().splitlines()] == [
        [*GENOMAD],
        # Odds of 3, 1 and 15: the sum of the logarithms by the root of 3.
        ["z", "950", *["NA"] * 4, f"{1 / (1 + 45 ** -(3**-0.5)):.4f}", *["NA"] * 4],
        ["a", "300", *["NA"] * 4, "0.5000", *["NA"] * 4],
    ]


def test_programs_that_read_genomads_table_read_it(tmp_path: Path) -> None:
    ids = [b"=1+1", b"-1", b"<b>", b"#x", b"\xc3\xa9", b"x" * 10_000, b'"quoted"']
    write(tmp_path, shard_of([Chunk(place, name, 1, 0, 500, 500, [0.75]) for place, name in enumerate(ids)]))
    file = tmp_path / "virus_summary.tsv"
    assert [row["seq_name"].encode() for row in read_table(file)] == ids
    with file.open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert [(int(row["length"]), float(row["virus_score"])) for row in rows] == [(500, 0.75)] * len(ids)
    # Many programs take the lines apart by themselves.
    split = [line.rstrip("\n").split("\t") for line in file.open(newline="\n")]
    assert [fields[0].encode() for fields in split[1:]][:-1] == ids[:-1]
    assert {len(fields) for fields in split} == {len(GENOMAD)}
