from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.cut import Lengths, cut_contigs, whole_records, write_contigs
from benchmarks.accuracy.sources import Source
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.strands import reverse_complement

BOTH = [Lengths.parse("300-1200"), Lengths.parse("500")]


def test_contigs_are_pieces_of_their_sources(sources: list[Source]) -> None:
    contigs = list(cut_contigs(sources, BOTH, count=100, seed=1))
    assert len(contigs) == 200 and len({contig.contig_id for contig in contigs}) == 200
    for contig in contigs:
        piece = contig.source.sequence[contig.start - 1 : contig.end]
        assert contig.sequence == (piece if contig.strand == "+" else reverse_complement(piece))
    assert {len(contig.sequence) for contig in contigs[100:]} == {500}
    assert min(len(contig.sequence) for contig in contigs) >= 300
    assert Counter(contig.source.virus for contig in contigs) == {True: 100, False: 100}
    assert 60 < sum(contig.strand == "-" for contig in contigs) < 140
    assert len({contig.source.group for contig in contigs}) > 50


def test_the_seed_decides_and_the_order_of_the_files_does_not(sources: list[Source]) -> None:
    first = list(cut_contigs(sources, BOTH, count=20, seed=1))
    assert list(cut_contigs(sources[::-1], BOTH, count=20, seed=1)) == first
    assert list(cut_contigs(sources, BOTH, count=20, seed=2)) != first
    assert [*cut_contigs(sources, BOTH[:1], count=20, seed=1)] == first[:20]


def test_groups_have_the_same_chance_whatever_their_size(sources: list[Source]) -> None:
    big = replace(sources[0], record_id="big", group="big", sequence=sources[0].sequence * 50)
    contigs = cut_contigs([*sources, big], BOTH[1:], count=620, seed=1)
    assert 2 <= sum(contig.source.group == "big" for contig in contigs) <= 25


def test_every_start_is_drawn_and_unknown_bases_are_not(sources: list[Source]) -> None:
    known, unknown = b"ACGTACGTAC", b"N" * 300
    short = [replace(source, sequence=unknown + known + unknown) for source in sources]
    contigs = list(cut_contigs(short, [Lengths.parse("8")], count=200, seed=1))
    assert {contig.start for contig in contigs} == {301, 302, 303}
    with pytest.raises(InputError, match="no record of others has 11 bases that are known"):
        list(cut_contigs(short, [Lengths.parse("11")], count=2, seed=1))
    with pytest.raises(InputError, match="no record of viruses has 8 bases"):
        list(cut_contigs([source for source in short if not source.virus], [Lengths.parse("8")], count=2, seed=1))


def test_lengths_are_log_uniform(sources: list[Source]) -> None:
    lengths = [len(contig.sequence) for contig in cut_contigs(sources, BOTH[:1], count=600, seed=1)]
    # Half of them are below the geometric mean of 300 and 1,200.
    assert 0.44 < np.mean(np.array(lengths) < 600) < 0.56


@pytest.mark.parametrize(("share", "viruses"), [(0.01, 3), (0.1, 30), (0.5, 150), (0.9, 270)])
def test_the_share_of_viruses_is_as_asked(share: float, viruses: int, sources: list[Source]) -> None:
    contigs = list(cut_contigs(sources, BOTH[1:], count=300, seed=1, viral_share=share))
    assert sum(contig.source.virus for contig in contigs) == viruses
    assert sum(contig.source.virus for contig in contigs[:100]) == viruses / 3


@pytest.mark.parametrize("text", ["", "5k", "0", "500-300", "1-2-3"])
def test_lengths_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="length"):
        Lengths.parse(text)


def test_records_that_are_contigs_are_taken_whole(sources: list[Source]) -> None:
    contigs = whole_records(sources[:3])
    assert [(one.contig_id, one.sequence) for one in contigs] == [(s.record_id, s.sequence) for s in sources[:3]]
    assert [(one.start, one.end) for one in contigs] == [(1, len(source.sequence)) for source in sources[:3]]


def test_contigs_and_their_table_are_written(tmp_path: Path, sources: list[Source]) -> None:
    contigs = list(cut_contigs(sources, BOTH, count=4, seed=1))
    fasta, table = write_contigs(tmp_path, contigs)
    written = fasta.read_text().splitlines()
    assert written[::2] == [f">{contig.contig_id}" for contig in contigs]
    assert [line.encode() for line in written[1::2]] == [contig.sequence for contig in contigs]
    with table.open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert [row["label"] for row in rows] == ["others", "virus"] * 4
    assert rows[0]["kind"] == contigs[0].source.kind and rows[0]["lengths"] == "300-1200"
    assert int(rows[0]["end"]) - int(rows[0]["start"]) + 1 == int(rows[0]["length"]) == len(contigs[0].sequence)
