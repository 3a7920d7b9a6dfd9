from __future__ import annotations

import pickle

from output.tables import Chunk, shard_of

from virnucpro_tasks.output.part import shard_part
from virnucpro_tasks.output.table import TableStyle
from virnucpro_tasks.reads.tables import Status

STYLE = TableStyle("original", ["reads.fasta"], "model", 500)
CHUNKS = [Chunk(n, b"r%d" % n, 1, 0, 500, 500, [0.75]) for n in range(4)]


def test_records_at_the_edges_are_left_to_whoever_has_the_next_shard() -> None:
    part = shard_part(shard_of(CHUNKS), STYLE)
    assert ([r.record_id for r in part.first], [r.record_id for r in part.last]) == ([b"r0"], [b"r3"])
    assert [line.split(b"\t")[0] for line in b"".join(part.record_lines["records.tsv"]).splitlines()] == [b"r1", b"r2"]
    assert part.counts.records == {Status.SCORED: 2}


def test_a_shard_of_one_record_has_no_last_one() -> None:
    part = shard_part(shard_of(CHUNKS[:1]), STYLE)
    assert (len(part.first), part.last) == (1, ())
    assert part.record_lines == {
        "records.tsv": [b""],
        "virus.fasta.gz": [b""],
        "virus_summary.tsv": [b""],
    }


def test_lines_go_from_one_process_to_another_in_one_piece() -> None:
    part = shard_part(shard_of(CHUNKS), STYLE)
    pieces = {name: len(lines) for name, lines in part.lines.items()}
    assert pieces == {"chunks.tsv": 1, "prediction_results.txt": 1, "prediction_results_highestscore.csv": 1}
    assert [list(spans.lines) for spans in part.spans] == [
        ["contigs.tsv"],
        ["virus_regions.bed", "virus_regions.gff3"],
        ["chunk_scores.bedgraph"],
    ]
    assert pickle.loads(pickle.dumps(part)) == part
