from __future__ import annotations

import csv
import io
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from output.stored import stored_shard
from output.tables import Chunk, read_table, shard_of, write

from virnucpro_tasks.output import contigs as contigs_module
from virnucpro_tasks.output.contigs import (
    CONTIG_COLUMNS,
    CONTIG_FILES,
    CONTIGS,
    CalledContigs,
    contigs_of,
    settled_contigs,
)
from virnucpro_tasks.output.fields import table_lines, text_of
from virnucpro_tasks.output.legacy import LEGACY_CHUNKS
from virnucpro_tasks.output.scored import ScoredRows, ScoredShard
from virnucpro_tasks.output.spans import SpanMerger
from virnucpro_tasks.output.table import TableStyle

BROAD = TableStyle("broad", ["reads.fasta"], "model", 500)
NAMES = [column.name for column in CONTIG_COLUMNS]


def natural(record_id: str) -> list[int | str]:
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", record_id.lower()))]


def from_consensus(text: str) -> list[dict[str, object]]:
    """Rows of contigs.tsv from a consensus file of the Broad's tool, by the pipeline's rules and nothing of ours."""
    by_contig: dict[str, list[tuple[float, float]]] = {}
    for row in csv.DictReader(io.StringIO(text), delimiter="\t"):
        contig = re.sub(r"_chunk_\d+$", "", row["Modified_ID"])
        by_contig.setdefault(contig, []).append((float(row["max_score_0"]), float(row["max_score_1"])))
    found = []
    for contig in sorted(by_contig, key=natural):
        chunks = by_contig[contig]
        deltas = [virus - others for others, virus in chunks]
        weights = [math.sqrt(abs(delta)) for delta in deltas]
        total = math.fsum(weights)
        if total > 0:
            weighted = math.fsum(delta * weight for delta, weight in zip(deltas, weights, strict=True)) / total
        else:
            weighted = math.fsum(deltas) / len(deltas)
        viral = sum(virus > 0.8 and others < 0.3 for others, virus in chunks)
        nonviral = sum(others > 0.8 and virus < 0.3 for others, virus in chunks)
        ambiguous = sum(others > 0.7 and virus > 0.7 for others, virus in chunks)
        clear = len(chunks) - ambiguous
        shares = [number / clear if clear else 0 for number in (viral, nonviral)]
        if weighted > 0.3:
            call = "Viral"
            confident = viral >= 1 and shares[0] >= 0.1
        elif weighted < -0.3:
            call = "Non-viral"
            confident = nonviral >= 1 and shares[1] >= 0.1
        else:
            call, confident = "Ambiguous", False
        if call == "Ambiguous":
            tier = "review"
        elif not confident:
            tier = "low_confidence"
        else:
            tier = "high_confidence" if abs(weighted) > 0.6 else "moderate_confidence"
        if len(chunks) < 5:
            tier = {"high_confidence": "low_confidence", "moderate_confidence": "low_confidence"}.get(tier, "review")
        numbers = (len(chunks), viral, nonviral, ambiguous, *(round(share, 3) for share in shares))
        found.append(dict(zip(NAMES, (contig, call, tier, round(weighted, 3), *numbers), strict=True)))
    return found


def parsed(row: dict[str, str]) -> dict[str, object]:
    """A row of contigs.tsv with its numbers as numbers."""
    return {name: value if name in NAMES[:3] else float(value) for name, value in row.items()}


@pytest.mark.parametrize(
    "folder", ["test_with_orfs_refactored/test_with_orfs_merged", "test_fixed_500bp_refactored/test_fixed_500bp_merged"]
)
def test_calls_of_stored_files_are_those_of_an_independent_script(shared: Path, tmp_path: Path, folder: str) -> None:
    stored = shared / "reference" / folder
    write(tmp_path, stored_shard(stored / "prediction_results.txt"))
    rows = [parsed(row) for row in read_table(tmp_path / "contigs.tsv")]
    assert rows == from_consensus((stored / "prediction_results_highestscore.csv").read_text())
    assert len(rows) == 2


def random_chunks(chosen: random.Random, file: int) -> Iterator[Chunk]:
    """Chunks of a few contigs, many of them short, with scores that are sure, equal, zero, or anything.

    No two files have a contig of one name or number.
    """
    contigs = chosen.sample(range(200 * file, 200 * (file + 1)), chosen.randrange(1, 6))
    for place, number in enumerate(contigs):
        record_id = chosen.choice([b"NODE_%d", b"k141_%d flag".split()[0], b"contig%d.1", b"%d"]) % number
        bias = chosen.choice([0.02, 0.3, 0.5, 0.7, 0.98])
        for chunk in range(1, chosen.choice([1, 2, 4, 5, 6, 30]) + 1):
            scores = [chosen.choice([bias, bias, chosen.random(), 0.5, 0, 1]) for _ in range(chosen.randrange(7))]
            status = ("scored", "") if scores else ("no_open_frame", "no frame without a stop codon")
            yield Chunk(5 * file + place, record_id, chunk, 500 * (chunk - 1), 500 * chunk, 15_000, scores, *status)


def cut(whole: ScoredShard, starts: list[int]) -> list[ScoredShard]:
    """The shards that begin at these chunks of a shard."""
    before = np.concatenate([[0], np.cumsum(whole.chunks["frames"].to_numpy())])
    found = []
    for start, end in zip(starts, [*starts[1:], whole.chunks.num_rows], strict=True):
        frames = slice(before[start], before[end])
        tables = (whole.chunks.slice(start, end - start), whole.frames.slice(frames.start, frames.stop - frames.start))
        found.append(ScoredShard(*tables, whole.scores[frames], whole.quarantined[frames], {}))
    return found


def of_shards(shards: list[ScoredShard]) -> tuple[str, str]:
    """The table of contigs of a job of these shards, and its consensus file."""
    rows = [ScoredRows.of(shard) for shard in shards]
    merger = SpanMerger(CONTIG_FILES, BROAD)
    parts = [lines for some in rows for lines in merger.add(CONTIG_FILES.part(some, BROAD))]
    pieces = [piece for part in [*parts, merger.end()] for piece in part.get(CONTIGS.name, [])]
    keys, lines = (b"".join(pieces[first::3]).split(b"\n")[:-1] for first in (1, 2))
    keyed = sorted(zip(keys, lines, strict=True), key=lambda pair: pair[0])
    table = CONTIGS.header(BROAD) + b"".join(line + b"\n" for _, line in keyed)
    text = LEGACY_CHUNKS.header(BROAD) + text_of(line for some in rows for line in LEGACY_CHUNKS.lines(some, BROAD))
    return table.decode(), text.decode()


def rows_of(table: str) -> list[dict[str, object]]:
    return [parsed(row) for row in csv.DictReader(io.StringIO(table), delimiter="\t")]


def test_calls_of_random_files_are_those_of_an_independent_script_however_they_are_cut() -> None:
    chosen = random.Random(0)
    files = [list(random_chunks(chosen, number)) for number in range(1_000)]
    whole = shard_of([chunk for chunks in files for chunk in chunks])
    first_chunks = [0, *np.cumsum([len(chunks) for chunks in files]).tolist()[:-1]]
    found = []
    for shard in cut(whole, first_chunks):
        table, consensus = of_shards([shard])
        rows = rows_of(table)
        assert rows == from_consensus(consensus)
        found += rows
    assert len({(row["call"], row["tier"]) for row in found}) == 9
    # All in one job of many shards: most of them begin within a contig.
    starts = [0, *sorted(chosen.sample(range(1, whole.chunks.num_rows), 1_000))]
    table, consensus = of_shards(cut(whole, starts))
    assert (table, consensus) == of_shards([whole])
    rows = rows_of(table)
    assert rows == from_consensus(consensus) == sorted(found, key=lambda row: natural(str(row["ID"])))


def test_lines_are_those_of_the_columns_whether_equal_counts_are_looked_for_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tails = set()
    for seed in range(20):
        rows = ScoredRows.of(shard_of(list(random_chunks(random.Random(seed), seed))))
        called = CalledContigs.of(contigs_of(rows), BROAD)
        expected = table_lines(*(column.write(column.values(called, BROAD)) for column in CONTIG_COLUMNS))
        for most in (2**16, 0):
            monkeypatch.setattr(contigs_module, "_MOST_COUNTS", most)
            assert CONTIGS.lines(called, BROAD) == expected
        tails |= {line.split(b"\t", 4)[4] for line in expected}
    assert len(tails) > 20


def test_evidence_of_the_parts_of_a_record_is_exactly_that_of_the_whole() -> None:
    chosen = random.Random(1)
    chunks = [Chunk(0, b"c", number, 0, 500, 90_000, [chosen.random()]) for number in range(1, 100)]
    whole = contigs_of(ScoredRows.of(shard_of(chunks)))
    for place in (1, 50, 98):
        parts = [contigs_of(ScoredRows.of(shard_of(some))) for some in (chunks[:place], chunks[place:])]
        before, joined = settled_contigs(*parts)
        assert (len(before), joined) == (0, whole)


def test_contigs_are_in_natural_order_and_records_of_one_id_in_that_of_the_input(tmp_path: Path) -> None:
    ids = [b"c_10", b"c_9", b"C_9", b"b_100", b"c_9"]
    chunks = [Chunk(place, name, 1, 0, 500, 500, [place / 8]) for place, name in enumerate(ids)]
    write(tmp_path, shard_of(chunks[:3]), shard_of(chunks[3:]))
    rows = [(row["ID"], row["weighted_delta"]) for row in read_table(tmp_path / "contigs.tsv")]
    assert rows == [("b_100", "-0.25"), ("c_9", "-0.75"), ("C_9", "-0.5"), ("c_9", "0.0"), ("c_10", "-1.0")]


def test_only_records_with_a_scored_chunk_are_listed(tmp_path: Path) -> None:
    chunks = [
        Chunk(0, b"short", 0, 0, 0, 20, [], "too_short", "length 20"),
        Chunk(1, b"stops", 1, 0, 500, 500, [], "no_open_frame", "no frame without a stop codon"),
        Chunk(2, b"bad", 1, 0, 500, 500, [0.9], quarantined=True),
        Chunk(3, b"partly", 1, 0, 500, 900, [0.9], quarantined=True),
        Chunk(3, b"partly", 2, 400, 900, 900, [0.25]),
    ]
    write(tmp_path, shard_of(chunks, reason="NaN"))
    assert (tmp_path / "contigs.tsv").read_text() == (
        "ID\tcall\ttier\tweighted_delta\tn_chunks\tn_confident_viral\tn_confident_nonviral\tn_ambiguous\t"
        "viral_proportion\tnonviral_proportion\n"
        "partly\tNon-viral\treview\t-0.5\t1\t0\t0\t0\t0.0\t0.0\n"
    )


def test_hostile_ids_are_read_back_unchanged(tmp_path: Path) -> None:
    ids = [b"=1+1", b'"', b'a"b"', b"<script>", b"-1", b"#x", b"\xff\x00\x01", b"9" * 10_000, b"NA", b"x" * 10_000]
    write(tmp_path, shard_of([Chunk(place, name, 1, 0, 500, 500, [0.75]) for place, name in enumerate(ids)]))
    read = [row["ID"].encode(errors="surrogateescape") for row in read_table(tmp_path / "contigs.tsv")]
    assert sorted(read) == sorted(ids)
    lines = (tmp_path / "contigs.tsv").read_bytes().splitlines()[1:]
    assert {line.split(b"\t")[0] for line in lines} >= {name for name in ids if b'"' not in name}
