"""Whole inputs to chunks and frames: accounting, statuses, several files, and no influence of the size of batches."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reads.reading import Reading, read_files
from reads.reference import has_codon, plain_chunks, plain_frames, plain_segment

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads import records as records_module
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.records import Limits

OPEN = b"ACG" * 60
"""Codes for threonines alone: open in every frame but those of its complement that hold a stop."""

STOPPED = b"TAAATAGATAGCTATTTATCTATTTA" * 6


def write(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def test_every_status(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "in.fa",
        b">open\n" + OPEN + b"\n>stopped\n" + STOPPED + b"\n>n\n" + b"N" * 90 + b"\n>short\nACGT\n>bad\nAC-GT\n",
    )
    reading = read_files(file)
    assert [(row["record_id"], row["status"], row["reason"]) for row in reading.chunks] == [
        (b"open", "scored", ""),
        (b"stopped", "no_open_frame", "no frame without a stop codon"),
        (b"n", "no_open_frame", "no unambiguous codon"),
        (b"short", "too_short", "length 4, below the minimum of 60 bases"),
        (
            b"bad",
            "invalid",
            "illegal character '-' on line 10: a gap, so this looks like an alignment; remove the gaps "
            "(record begins on line 9)",
        ),
    ]
    assert reading.chunks[0]["frames"] == len(reading.frames) > 0


def test_the_minimum_is_inclusive_and_nought_scores_everything(tmp_path: Path) -> None:
    file = write(tmp_path, "in.fa", b">a\n" + OPEN[:59] + b"\n>b\n" + OPEN[:60] + b"\n>c\nATG\n")
    assert [row["status"] for row in read_files(file).chunks] == ["too_short", "scored", "too_short"]
    assert [row["status"] for row in read_files(file, min_length=0).chunks] == ["scored"] * 3


def test_several_files_are_one_sequence_of_records(tmp_path: Path) -> None:
    one = write(tmp_path, "one.fa", b">a\n" + OPEN + b"\n>b\n" + OPEN)
    two = write(tmp_path, "two.fq", b"@a\n" + OPEN + b"\n+\n" + b"I" * len(OPEN) + b"\n")
    rows = read_files(one, two, one).chunks
    assert [(row["input_ordinal"], row["record_ordinal"], row["record_id"]) for row in rows] == [
        (0, 0, b"a"),
        (0, 1, b"b"),
        (1, 2, b"a"),
        (2, 3, b"a"),
        (2, 4, b"b"),
    ]


def test_one_bad_file_of_several_is_named(tmp_path: Path) -> None:
    good, bad = write(tmp_path, "good.fa", b">a\n" + OPEN), write(tmp_path, "bad.fa", b"<html>")
    with pytest.raises(InputError, match=r"bad\.fa, line 1: this is HTML"):
        read_files(good, bad)


def test_strict_refuses_what_is_otherwise_listed(tmp_path: Path) -> None:
    file = write(tmp_path, "in.fa", b">a\n" + OPEN + b"\n>bad\nAC-\n")
    assert read_files(file).statuses == {"scored": 1, "invalid": 1}
    with pytest.raises(InputError, match="line 3, record 'bad': illegal character '-' on line 4"):
        read_files(file, strict=True)


def test_an_input_without_one_valid_record_is_refused_by_its_first(tmp_path: Path) -> None:
    file = write(tmp_path, "in.fa", b">a\n>b\nAC-\n")
    with pytest.raises(InputError, match="line 1, record 'a': empty sequence"):
        read_files(file)
    with pytest.raises(InputError, match="there is no input"):
        list(frame_batches([], chunk_length=500))


def test_limits_hold_per_record(tmp_path: Path) -> None:
    file = write(tmp_path, "in.fa", b">a\n" + OPEN + b"\n>b\n" + OPEN + b"A\n")
    assert read_files(file, limits=Limits(bases=len(OPEN))).statuses == {"scored": 1, "invalid": 1}


letters = st.sampled_from("ACGTACGTACGTNR")
records = st.lists(st.text(letters, max_size=400), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(records, st.sampled_from([6, 50, 300]), st.integers(1, 500), st.sampled_from(Coverage))
def test_batches_have_no_influence(
    tmp_path_factory: pytest.TempPathFactory,
    sequences: list[str],
    chunk_length: int,
    batch_bases: int,
    coverage: Coverage,
) -> None:
    content = "".join(f">r{number}\n{sequence}\n" for number, sequence in enumerate(sequences))
    file = write(tmp_path_factory.mktemp("reads"), "in.fa", content.encode())

    def read(**options: Any) -> Reading | str:
        try:
            return read_files(file, chunk_length=chunk_length, min_length=20, **options)
        except InputError as error:
            return str(error)

    assert read(batch_bases=batch_bases, coverage=coverage) == read(coverage=coverage)


@settings(max_examples=60, deadline=None)
@given(records.filter(any), st.sampled_from([6, 50, 300]), st.sampled_from([0, 20]), st.sampled_from([40, 10_000]))
def test_equal_to_the_plain_reading(
    tmp_path_factory: pytest.TempPathFactory,
    sequences: list[str],
    chunk_length: int,
    min_length: int,
    batch_bases: int,
) -> None:
    content = "".join(f">r{number} of {number} \n{sequence}\n" for number, sequence in enumerate(sequences))
    file = write(tmp_path_factory.mktemp("reads"), "in.fa", content.encode())
    reading = read_files(file, chunk_length=chunk_length, min_length=min_length, batch_bases=batch_bases)
    chunks, frames = [], []
    for record, sequence in enumerate(sequences):
        if not sequence or len(sequence) < min_length:
            chunks.append((record, 0, 0, 0, 0, "too_short"))
            continue
        for chunk, (start, end) in enumerate(plain_chunks(len(sequence), chunk_length), 1):
            rows = plain_frames(sequence[start:end])
            chunks.append((record, chunk, start, end, len(rows), "scored" if rows else "no_open_frame"))
            frames += [(record, f"{chunk}{name}", nucleotides, protein) for name, protein, nucleotides in rows]
            told = reading.chunks[len(chunks) - 1]["reason"] == "no unambiguous codon"
            assert told == (not has_codon(sequence[start:end]))
    columns = ("record_ordinal", "chunk", "start", "end", "frames", "status")
    assert [tuple(row[column] for column in columns) for row in reading.chunks] == chunks
    described = [b"of %d" % record if chunk <= 1 else b"" for record, chunk, *_ in chunks]
    assert [row["description"] for row in reading.chunks] == described
    assert [(number, *row) for number in range(len(sequences)) for row in reading.frames_of(number)] == frames


def test_a_segment_stands_for_a_chunk_without_an_open_frame_if_that_is_asked_for(tmp_path: Path) -> None:
    draw = random.Random(21)
    sequences = ["".join(draw.choices("ACGT", k=length)) for length in (500, 1_700, 90, 400, 5_000)]
    sequences[3] = "N" * 400
    content = "".join(f">r{number}\n{sequence}\n" for number, sequence in enumerate(sequences))
    file = write(tmp_path, "in.fa", content.encode() + b">short\nACGT\n")
    without, reading = read_files(file), read_files(file, coverage=Coverage.SEGMENTS, batch_bases=2_000)
    expected = []
    for row in without.chunks:
        segment = (
            plain_segment(sequences[row["record_ordinal"]][row["start"] : row["end"]], 60) if row["chunk"] else None
        )
        if row["status"] == "no_open_frame" and segment is not None:
            reason = "no frame without a stop codon: its longest segment is scored"
            row = row | {"frames": 1, "status": "partial_frame", "reason": reason}
            name, protein, nucleotides = segment
            found = [frame for frame in reading.frames_of(row["record_ordinal"]) if frame[0] == f"{row['chunk']}{name}"]
            assert found == [(f"{row['chunk']}{name}", nucleotides, protein)]
        expected.append(row)
    assert reading.chunks == expected
    statuses = Counter(row["status"] for row in reading.chunks)
    assert {"scored", "partial_frame", "no_open_frame", "too_short"} == set(statuses)
    open_frames = [row for row in without.frames if row in reading.frames]
    assert open_frames == without.frames
    assert len(reading.frames) == len(without.frames) + statuses["partial_frame"]


def test_memory_does_not_grow_with_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "BLOCK_BYTES", 2**16)

    def peak(reads: int) -> int:
        file = write(tmp_path, "in.fa", b"".join(b">r%05d\n%b\n" % (number, OPEN[:150]) for number in range(reads)))
        tracemalloc.start()
        for batch in frame_batches([ReadInput(file, "in.fa")], chunk_length=500, batch_bases=10_000):
            assert batch.chunks.num_rows
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    few, many = 2_000, 16_000
    more_input_bytes = (many - few) * len(b">r00000\n%b\n" % OPEN[:150])

    # Both hold a few blocks and a batch. When Python collects its garbage moves a peak by a fifth or so.
    assert peak(many) - peak(few) < more_input_bytes / 10
