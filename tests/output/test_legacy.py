from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from output.stored import stored_shard
from output.tables import Chunk, shard_of, write

from virnucpro_tasks.output.legacy import score_texts

STORED = {
    "reference_vanilla_output": "original",
    "test_with_orfs_merged": "original",
    "test_fixed_500bp_merged": "original",
    "test_with_orfs_refactored/test_with_orfs_merged": "broad",
    "test_fixed_500bp_refactored/test_fixed_500bp_merged": "broad",
}
FILES = ("prediction_results.txt", "prediction_results_highestscore.csv")


@pytest.mark.parametrize(("folder", "dialect"), STORED.items())
def test_stored_files_come_out_again_byte_for_byte(shared: Path, tmp_path: Path, folder: str, dialect: str) -> None:
    stored = shared / "reference" / folder
    write(tmp_path, stored_shard(stored / FILES[0]), dialect=dialect)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (stored / name).read_bytes()


def test_the_original_sorts_chunks_by_text_and_broad_keeps_their_order(tmp_path: Path) -> None:
    chunks = [Chunk(0, b"b", number, 0, 500, 5000, [0.75]) for number in range(1, 11)]
    chunks.append(Chunk(1, b"a", 1, 0, 500, 500, [0.25]))
    write(tmp_path / "original", shard_of(chunks[:4]), shard_of(chunks[4:]))
    write(tmp_path / "broad", shard_of(chunks[:4]), shard_of(chunks[4:]), dialect="broad")
    numbers = (1, 10, *range(2, 10))
    expected = "Modified_ID\tIs_Virus\na_chunk_1\tFalse\n" + "".join(f"b_chunk_{n}\tTrue\n" for n in numbers)
    assert (tmp_path / "original" / FILES[1]).read_text() == expected
    lines = (tmp_path / "broad" / FILES[1]).read_text().splitlines()
    assert lines[0].split("\t") == ["Modified_ID", "Is_Virus", "max_score_0", "max_score_1"]
    assert lines[1] == "b_chunk_1\tTrue\t0.25\t0.75"
    assert [line.split("\t")[0] for line in lines[1:]] == [f"b_chunk_{n}" for n in range(1, 11)] + ["a_chunk_1"]


@pytest.mark.parametrize("dialect", ["original", "broad"])
def test_only_scored_frames_and_chunks_are_listed(tmp_path: Path, dialect: str) -> None:
    chunks = [
        Chunk(0, b"a", 1, 0, 500, 900, [], "no_open_frame", "no frame without a stop codon"),
        Chunk(0, b"a", 2, 400, 900, 900, [0.5, 0.25]),
        Chunk(1, b"short", 0, 0, 0, 10, [], "too_short", "length 10"),
        Chunk(2, b"bad", 1, 0, 500, 500, [0.9], quarantined=True),
    ]
    write(tmp_path, shard_of(chunks, reason="NaN"), dialect=dialect)
    assert (tmp_path / FILES[0]).read_text().splitlines()[1:] == [
        "a_chunk_2F1\tothers\t0.5\t0.5",
        "a_chunk_2F2\tothers\t0.75\t0.25",
    ]
    (line,) = (tmp_path / FILES[1]).read_text().splitlines()[1:]
    assert line.startswith("a_chunk_2\tFalse")


@pytest.mark.parametrize("dialect", ["original", "broad"])
def test_nothing_scored_leaves_headers_alone(tmp_path: Path, dialect: str) -> None:
    write(tmp_path, dialect=dialect)
    assert [len((tmp_path / name).read_text().splitlines()) for name in FILES] == [1, 1]


def test_records_of_one_id_keep_their_own_rows(tmp_path: Path) -> None:
    write(tmp_path, shard_of([Chunk(0, b"a", 1, 0, 500, 500, [0.9]), Chunk(1, b"a", 1, 0, 500, 500, [0.1])]))
    assert (tmp_path / FILES[1]).read_text().splitlines()[1:] == ["a_chunk_1\tTrue", "a_chunk_1\tFalse"]


def test_ids_are_bytes_as_in_the_input(tmp_path: Path) -> None:
    write(tmp_path, shard_of([Chunk(0, b'\xff"=1', 1, 0, 500, 500, [0.75])]))
    assert (tmp_path / FILES[0]).read_bytes().endswith(b'\n\xff"=1_chunk_1F1\tvirus\t0.25\t0.75\n')


def test_number_formats_of_the_dialects() -> None:
    scores = np.array([[0.12100612, 1e-5], [1.0, 0.0011595711]], np.float32)
    assert score_texts(scores, dialect="original") == ([b"0.12100612", b"1.0"], [b"1e-05", b"0.0011595711"])
    wide = float(np.float32(0.12100612))
    assert score_texts(scores, dialect="broad")[0] == [repr(wide).encode(), b"1.0"]


@pytest.mark.parametrize("dialect", ["original", "broad"])
def test_many_scores_are_written_as_each_of_them_is(dialect: str) -> None:
    random = np.random.default_rng(0)
    edges = [0, 1, 1e-3, 9.99e-4, 1e-4, 1e-5, 1e-30, 0.5, 0.1, 0.99999994]
    virus = np.concatenate([edges, random.random(10_000), random.random(10_000) ** 8]).astype(np.float32)
    texts, _ = score_texts(np.stack([virus, virus], axis=1), dialect=dialect)
    expected = [str(score) if dialect == "original" else repr(float(score)) for score in virus]
    assert [text.decode() for text in texts] == expected
