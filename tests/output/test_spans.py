from __future__ import annotations

from output.random_jobs import random_chunks, random_cuts
from output.tables import Chunk, shard_of

from virnucpro_tasks.output.region_files import REGION_FILES
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.spans import SpanMerger, SpanPart
from virnucpro_tasks.output.table import TableStyle

STYLE = TableStyle("original", ["reads.fasta"], "model", 500)
BED = "virus_regions.bed"


def part(chunks: list[Chunk]) -> SpanPart:
    return REGION_FILES.part(ScoredRows.of(shard_of(chunks)), STYLE)


def test_the_spans_at_the_edges_of_a_shard_are_kept_as_values() -> None:
    found = part([Chunk(n, b"r%d" % n, 1, 0, 500, 500, [0.75]) for n in range(4)])
    assert ([it.record_id for it in found.first.span], [it.record_id for it in found.last.span]) == ([b"r0"], [b"r3"])
    written = [b"".join(lines[BED]) for lines in (found.first.lines, found.lines, found.last.lines) if lines]
    names = [[line.split(b"\t")[0] for line in text.splitlines()] for text in written]
    assert names == [[b"r0"], [b"r1", b"r2"], [b"r3"]]


def test_a_span_is_written_when_the_next_one_is_known() -> None:
    merger = SpanMerger(REGION_FILES, STYLE)
    shards = [part([Chunk(0, b"c", n + 1, 450 * n, 450 * n + 500, 9000, [0.75])]) for n in range(19)]
    assert {b"".join(lines.get(BED, [])) for shard in shards for lines in merger.add(shard)} == {b""}
    assert b"".join(merger.end()[BED]).startswith(b"c\t0\t8600\t")
    assert merger.end() == {}


def test_shards_without_spans_change_nothing() -> None:
    chunks = random_chunks(3)
    empty = part([Chunk(99, b"short", 0, 0, 0, 20, [], "too_short", "length 20")])
    written = []
    for fill in ([], [empty]):
        merger = SpanMerger(REGION_FILES, STYLE)
        parts = [it for shard in random_cuts(chunks, 3) for it in (part(shard), *fill)]
        lines = [found.get(BED, []) for it in parts for found in merger.add(it)]
        written.append(b"".join(piece for pieces in (*lines, merger.end()[BED]) for piece in pieces))
    assert written[0] == written[1] != b""
