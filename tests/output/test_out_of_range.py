"""Warnings of input outside of what the models know, from the input to run.json."""

from __future__ import annotations

from pathlib import Path

import pytest
from job import make_job

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.output.out_of_range import out_of_range
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.reads.batches import is_ambiguous
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan

LONG = "CTAGCTAACGCTTAC" * 209


def warnings_of(job: Job) -> list[str]:
    list(split_files(job))
    return out_of_range(job.spec, demo_bundle().description, read_plan(job.paths.plan))


@pytest.mark.parametrize(
    ("letters", "found"),
    [("ACGT" * 19 + "NNNN", False), ("ACGT" * 18 + "NNNN", True), ("A", False)],
)
def test_more_than_a_twentieth_is_many(letters: str, found: bool) -> None:
    assert is_ambiguous(letters.encode()) is found


def test_ambiguous_records_are_counted_by_input(settings: Settings, tmp_path: Path) -> None:
    first, second = tmp_path / "first.fa", tmp_path / "second.fa"
    first.write_text(">a\n" + "ACGT" * 50 + "\n>b\n" + "ACGR" * 50 + "\n>c\n" + "N" * 300_000 + "\n>d\nNNN\n>e\nA-\n")
    second.write_text(">a\n" + "ACGT" * 50 + "\n")
    (warning,) = warnings_of(make_job(settings, first, second))
    assert warning.startswith(f"{first}: in 2 records more than 5% of the letters are none of A, C, G, T")


@pytest.mark.parametrize(("compat", "treated"), [(Compat.NONE, "cut to these"), (Compat.ORIGINAL, "computed whole")])
def test_long_proteins_are_told_with_the_length_of_chunks(
    settings: Settings, tmp_path: Path, compat: Compat, treated: str
) -> None:
    file = tmp_path / "long.fa"
    file.write_text(f">a\n{LONG}\n>b\n{LONG}\n>c\n{LONG[:1000]}\n")
    chunks, long_proteins = warnings_of(make_job(settings, file, chunk_length=len(LONG), compat=compat))
    assert chunks == f"chunks are {len(LONG)} bases long, the head was trained on 500"
    assert long_proteins.startswith("2 open frames of more than 1,022 residues") and treated in long_proteins
