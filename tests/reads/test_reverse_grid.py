from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from virnucpro_tasks.heads.strands import reverse_complement
from virnucpro_tasks.reads.batches import DEFAULT_BATCH_BASES, frame_batches
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.tables import BOTH_STRANDS_SCHEMA, CHUNK_SCHEMA, REVERSE_COLUMNS, FrameOwners

CHUNK = 30
LETTERS = ("ACGT", "ACCCGGT", "AACGTTT", "ACGTNRY", "N")
CLOSED = "CTAGCTAACGCTTACTAA"
PARTIAL = "TAA" + "CTAGCTAACGCTTAC" * 12 + "TAACTAGCTAACGCTTAC"
"""Sixty residues between stop codons, which all six frames have."""
TIE = PARTIAL + reverse_complement(PARTIAL.replace("AACGCTTAC", "AACGCCTAC").encode()).decode()
"""Equally long segments on both strands, with other nucleotides."""


def sequences() -> list[str]:
    """Records of one to many chunks, whose last chunk is whole or short, with letters that are no bases."""
    source = random.Random(8)
    lengths = [7, 20, 29, 30, 31, 32, 45, 59, 60, 61, 62, 89, 91, 95, 119, 121, 299, 301, 457]
    found = ["".join(source.choices(LETTERS[place % len(LETTERS)], k=length)) for place, length in enumerate(lengths)]
    return [*found, "", "ACG-T", CLOSED * 10, "CAT" * 40]


def tables(
    folder: Path,
    records: Sequence[str],
    *,
    both_strands: bool,
    chunk_length: int = CHUNK,
    batch_bases: int = DEFAULT_BATCH_BASES,
    coverage: Coverage = Coverage.FRAMES,
) -> tuple[pa.Table, pa.Table]:
    """The chunk table and the frame table of records."""
    file = folder / "in.fasta"
    file.write_text("".join(f">r{number}\n{sequence}\n" for number, sequence in enumerate(records)))
    batches = list(
        frame_batches(
            [ReadInput(file, "in.fasta")],
            chunk_length=chunk_length,
            min_length=6,
            batch_bases=batch_bases,
            coverage=coverage,
            both_strands=both_strands,
        )
    )
    return pa.concat_tables([it.chunks for it in batches]), pa.concat_tables([it.frames for it in batches])


def frames_by_strand(chunks: pa.Table, frames: pa.Table) -> tuple[list[Counter[str]], list[Counter[str]]]:
    """The proteins with their nucleotides of each record, of its own chunks and of those of its reverse complement."""
    owners = FrameOwners.of(chunks)
    rows = chunks.to_pylist()
    found = [[Counter[str]() for _ in range(rows[-1]["record_ordinal"] + 1)] for _ in range(2)]
    of_chunks: dict[int, list[str]] = {}
    for row, is_reverse, frame in zip(owners.rows, owners.is_reverse, frames.to_pylist(), strict=True):
        text = frame["protein"] + " " + frame["nucleotides"].translate(str.maketrans("RY", "??"))
        found[int(is_reverse)][frame["record_ordinal"]][text] += 1
        if not is_reverse:
            of_chunks.setdefault(int(row), []).append(text)
    for place, row in enumerate(rows):
        if row["reverse"] == "same":
            found[1][row["record_ordinal"]].update(of_chunks.get(place, []))
    return found[0], found[1]


@pytest.mark.parametrize("coverage", Coverage)
def test_the_other_grid_is_that_of_the_reverse_complement(tmp_path: Path, coverage: Coverage) -> None:
    records = [*sequences(), TIE, TIE + "C" * 7] if coverage is Coverage.SEGMENTS else sequences()
    length = 250 if coverage is Coverage.SEGMENTS else CHUNK
    records += [record * 9 for record in records] if coverage is Coverage.SEGMENTS else []
    others = [reverse_complement(record.encode()).decode() for record in records]
    found, mirrored = (
        frames_by_strand(*tables(tmp_path, them, both_strands=True, chunk_length=length, coverage=coverage))
        for them in (records, others)
    )
    assert found == (mirrored[1], mirrored[0])
    assert any(one != other for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("coverage", Coverage)
def test_the_rows_of_the_record_are_those_without_the_other_strand(tmp_path: Path, coverage: Coverage) -> None:
    records = [*sequences(), TIE * 3]
    chunks, frames = tables(tmp_path, records, both_strands=True, coverage=coverage)
    own_chunks, own_frames = tables(tmp_path, records, both_strands=False, coverage=coverage)
    assert (chunks.schema, own_chunks.schema) == (BOTH_STRANDS_SCHEMA, CHUNK_SCHEMA)
    assert chunks.drop_columns(REVERSE_COLUMNS).equals(own_chunks)
    assert frames.filter(pa.array(~FrameOwners.of(chunks).is_reverse)).equals(own_frames)
    for row in chunks.to_pylist():
        assert (row["reverse"] == "") == (row["chunk"] == 0)
        assert (row["reverse_frames"] > 0) == (row["reverse"] in ("frames", "segment"))


@pytest.mark.parametrize("coverage", Coverage)
def test_batches_make_no_difference(tmp_path: Path, coverage: Coverage) -> None:
    records = sequences()
    whole, small = (
        tables(tmp_path, records, both_strands=True, batch_bases=bases, coverage=coverage) for bases in (10**6, 70)
    )
    assert whole[0].combine_chunks().equals(small[0].combine_chunks())
    assert whole[1].combine_chunks().equals(small[1].combine_chunks())


def test_what_is_equal_on_both_strands_is_not_repeated(tmp_path: Path) -> None:
    records = ["ACG" * 9, PARTIAL, TIE, CLOSED, "N" * 25]
    chunks, frames = tables(tmp_path, records, both_strands=True, chunk_length=500, coverage=Coverage.SEGMENTS)
    assert chunks["status"].to_pylist()[:3] == ["scored", "partial_frame", "partial_frame"]
    assert chunks["reverse"].to_pylist() == ["same", "same", "segment", "same", "same"]
    # Of equally long segments each strand has its own first one.
    first, second = frames.to_pylist()[-2:]
    assert first["nucleotides"] != second["nucleotides"] and len(first["protein"]) == len(second["protein"])
