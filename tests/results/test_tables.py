"""Tables read back as DataFrames are those that were written, whatever ids and descriptions hold."""

from __future__ import annotations

import os
from pathlib import Path

import pandas
import pytest
from output.tables import Chunk, shard_of, write

from virnucpro_tasks.errors import BackendError, DamagedError, InputError
from virnucpro_tasks.results.tables import join_samples, read_frame, read_frames
from virnucpro_tasks.system import extras

HOSTILE = [
    b"plain",
    b"NA",
    b"=1+1",
    b'say"no"',
    b"'; DROP",
    b"<script>alert(1)</script>",
    b"\xff\xfe",
    b"\xc2\x85\xe2\x80\xa8",
    b"\x00\x1b[31m\x7f",
    b"007",
    b"1e5",
    b"x" * 10_000,
    b"plain",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chunks = [
        Chunk(number, record_id, 1, 0, 500, 600, virus=[0.25, 0.75], description=record_id + b"\t\r" + record_id)
        for number, record_id in enumerate(HOSTILE)
    ]
    chunks.append(Chunk(len(chunks), b"closed", 1, 0, 500, 500, status="no_open_frame", reason="no frame"))
    write(tmp_path, shard_of(chunks[:5]), shard_of(chunks[5:]))
    return tmp_path


def test_ids_and_descriptions_are_the_bytes_of_the_input(folder: Path) -> None:
    found = read_frame(folder / "records.tsv")
    assert [os.fsencode(text) for text in found["record_id"]] == [*HOSTILE, b"closed"]
    assert [os.fsencode(text) for text in found["description"]][:-1] == [one + b"\t\r" + one for one in HOSTILE]
    assert [os.fsencode(text) for text in read_frame(folder / "chunks.tsv")["record_id"]] == [*HOSTILE, b"closed"]


def test_numbers_are_numbers_and_na_is_missing(folder: Path) -> None:
    found = read_frame(folder / "records.tsv")
    assert found["length"].dtype == "int64" and found["mean_viral_score"].dtype == "float64"
    assert found["mean_viral_score"].iloc[0] == 0.5 and found["mean_viral_score"].isna().tolist()[-1]
    assert found["call"].isna().sum() == 1 and set(found["call"].cat.categories) == {"virus", "others"}
    assert (found["evidence"].dropna() < "medium").all() and found["evidence"].isna().sum() == 1
    assert found["status"].value_counts()["no_open_frame"] == 1
    assert found["record_id"].iloc[1] == "NA"


def test_some_columns_can_be_read_alone(folder: Path) -> None:
    assert list(read_frame(folder / "records.tsv", columns=["length", "record_id"])) == ["length", "record_id"]
    with pytest.raises(InputError, match="no column 'size', but record_id, input"):
        read_frame(folder / "records.tsv", columns=["size"])


def test_mates_may_be_missing(tmp_path: Path) -> None:
    chunks = [Chunk(number, b"a", 1, 0, 90, 90, virus=[0.5], mate=number) for number in range(3)]
    write(tmp_path, shard_of(chunks), has_mates=True)
    assert read_frame(tmp_path / "records.tsv")["mate"].tolist() == [pandas.NA, 1, 2]


@pytest.mark.parametrize("dialect", ["original", "broad"])
def test_frames_have_their_records_and_the_scores_that_were_computed(dialect: str, tmp_path: Path) -> None:
    chunks = [
        Chunk(0, b"twice", 1, 0, 500, 900, virus=[0.1, 0.9]),
        Chunk(0, b"twice", 2, 400, 900, 900, status="no_open_frame"),
        Chunk(1, b"twice", 1, 0, 500, 500, virus=[1 / 3]),
        Chunk(2, b'a"\xff_chunk_1F1', 1, 0, 500, 500, virus=[0.5]),
    ]
    shard = shard_of(chunks)
    write(tmp_path, shard, dialect=dialect)
    found = read_frames(tmp_path / "prediction_results.txt", tmp_path / "chunks.tsv")
    assert [os.fsencode(text) for text in found["record_id"]] == [b"twice"] * 3 + [b'a"\xff_chunk_1F1']
    assert (found["record"].tolist(), found["chunk"].tolist()) == ([1, 1, 2, 3], [1, 1, 1, 1])
    assert found["frame"].tolist() == ["F1", "F2", "F1", "F1"]
    assert found["call"].tolist() == ["others", "virus", "others", "others"]
    assert (found[["others_score", "virus_score"]].to_numpy() == shard.scores).all()


def test_frames_and_chunks_of_other_results_do_not_go_together(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", shard_of([Chunk(0, b"a", 1, 0, 90, 90, virus=[0.5])]))
    with pytest.raises(DamagedError):
        read_frames(folder / "prediction_results.txt", tmp_path / "other" / "chunks.tsv")


def test_tables_without_rows_have_their_columns(tmp_path: Path) -> None:
    write(tmp_path)
    assert len(read_frame(tmp_path / "records.tsv")) == 0
    found = read_frames(tmp_path / "prediction_results.txt", tmp_path / "chunks.tsv")
    assert len(found) == 0 and next(iter(found)) == "record_id"


def test_samples_are_joined_with_their_names_and_types(folder: Path) -> None:
    found = read_frames(folder / "prediction_results.txt", folder / "chunks.tsv")
    joined = join_samples({"A": found, "B": found.iloc[:0], "C": found})
    assert joined["sample"].tolist() == ["A"] * len(found) + ["C"] * len(found)
    assert joined["call"].dtype == found["call"].dtype


@pytest.mark.parametrize("content", [None, b"", b"\xff\t\n", b"record_id\tlength\na\tb\n", b"record_id\tlength\na\n"])
def test_a_table_that_is_missing_or_damaged_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "records.tsv").write_bytes(content)
    with pytest.raises((DamagedError, InputError), match=r"records\.tsv"):
        read_frame(tmp_path / "records.tsv", columns=["length"])


def test_without_pandas_the_error_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"no pandas .*\.\[pandas\]"):
        read_frame(folder / "records.tsv")
