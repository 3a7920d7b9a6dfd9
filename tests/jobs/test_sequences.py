from __future__ import annotations

from pathlib import Path

import pytest
from job import make_job

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.sequences import input_sequences, record_ids
from virnucpro_tasks.settings import Settings


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    contents = {"one.fasta": b">a text\nACgu\nNN\n>\xff\nAC\n", "two.fastq": b"@b\nGG\n+\nII\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in contents]


def test_ids_of_all_records_with_the_number_of_their_file(files: list[Path]) -> None:
    assert list(record_ids(files)) == [("a", 0), ("\ufffd", 0), ("b", 1)]


def test_sequences_are_those_of_the_staged_inputs(files: list[Path], settings: Settings) -> None:
    job = make_job(settings, *files)
    for file in files:
        file.unlink()
    assert input_sequences(job) == [b"ACGTNN", b"AC", b"GG"]


def test_a_file_that_is_none_of_sequences_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.fasta: there is no such file"):
        list(record_ids([tmp_path / "absent.fasta"]))
