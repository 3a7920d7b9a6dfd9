"""Hostile inputs covered by segments: what is refused stays refused, and only chunks without an open frame change."""

from __future__ import annotations

from pathlib import Path

import pytest
from reads.reading import read_files
from reads.test_nasty import REFUSED, STATUSES

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.segments import SHORTEST_SEGMENT_RESIDUES
from virnucpro_tasks.reads.tables import NO_CODON

OUTCOME = ("frames", "status", "reason")


@pytest.mark.parametrize("name", REFUSED)
def test_refused(shared: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_files(shared / "data" / "nasty" / name, coverage=Coverage.SEGMENTS)
    assert REFUSED[name] in str(caught.value)


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize("chunk_length", [300, 500])
def test_only_chunks_without_an_open_frame_change(shared: Path, name: str, chunk_length: int) -> None:
    file = shared / "data" / "nasty" / name
    alone = read_files(file, chunk_length=chunk_length)
    covered = read_files(file, chunk_length=chunk_length, coverage=Coverage.SEGMENTS, batch_bases=1_000)
    segments = {(row["record_ordinal"], row["chunk"]) for row in covered.chunks if row["status"] == "partial_frame"}
    for before, after in zip(alone.chunks, covered.chunks, strict=True):
        if (after["record_ordinal"], after["chunk"]) in segments:
            assert (before["status"], after["frames"]) == ("no_open_frame", 1)
            before, after = ({key: row[key] for key in row if key not in OUTCOME} for row in (before, after))
        assert before == after
    found = [row for row in covered.frames if (row["record_ordinal"], row["chunk"]) in segments]
    assert [row for row in covered.frames if row not in found] == alone.frames
    assert len(found) == len(segments)
    assert all(len(row["protein"]) >= SHORTEST_SEGMENT_RESIDUES and "*" not in row["protein"] for row in found)


def test_some_have_segments_and_some_have_none(shared: Path) -> None:
    folder = shared / "data" / "nasty"
    lengths = read_files(folder / "lengths_around_chunk.fasta", coverage=Coverage.SEGMENTS)
    statuses = {row["status"] for row in lengths.chunks}
    assert {"scored", "partial_frame"} <= statuses
    unread = read_files(folder / "all_n.fasta", coverage=Coverage.SEGMENTS)
    assert {row["status"] for row in unread.chunks if row["reason"] == NO_CODON} == {"no_open_frame"}
