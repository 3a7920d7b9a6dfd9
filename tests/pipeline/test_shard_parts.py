from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from job import SAMPLE, embed, make_job

from virnucpro_tasks.classifier.false_discoveries import NO_RATES
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.output.part import ShardPart
from virnucpro_tasks.output.table import table_styles
from virnucpro_tasks.pipeline import score
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.score import job_description
from virnucpro_tasks.pipeline.shard_parts import shard_parts
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan


@pytest.fixture
def job(settings: Settings) -> Job:
    """A job of several shards that are embedded and scored."""
    small = replace(settings, shard_tokens=1_500)
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, small)
    assert repair(job, processes=1) == []
    return job


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the sample had very many frames."""
    monkeypatch.setattr(score, "FRAMES_PER_PROCESS", 1)


def parts_of(job: Job, *, processes: int) -> list[ShardPart]:
    plan = read_plan(job.paths.plan)
    styles = table_styles(job, plan, job_description(job), RecordScore(), NO_RATES)
    return list(shard_parts(job, plan, styles, processes=processes))


@pytest.mark.usefixtures("several")
def test_parts_do_not_depend_on_how_many_processes_make_them(job: Job) -> None:
    alone = parts_of(job, processes=1)
    assert len(alone) == len(read_plan(job.paths.plan).shards) > 2
    together = parts_of(job, processes=2)
    assert [replace(part, numbers=None) for part in together] == [replace(part, numbers=None) for part in alone]
    for part, other in zip(together, alone, strict=True):
        assert part.numbers is not None and other.numbers is not None
        for column in fields(part.numbers):
            np.testing.assert_array_equal(getattr(part.numbers, column.name), getattr(other.numbers, column.name))


def test_a_small_job_starts_no_process(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "ordered_process_map", None)
    assert len(parts_of(job, processes=16)) > 2


def shorter(file: Path) -> None:
    pq.write_table(pq.read_table(file).slice(1), file)


@pytest.mark.usefixtures("several", "forked")
@pytest.mark.parametrize(
    ("name", "harm"),
    [("chunks", shorter), ("frames", shorter), ("scores", Path.unlink)],
    ids=["chunks", "frames", "scores"],
)
def test_an_error_of_another_process_is_told_as_it_is(job: Job, name: str, harm: Callable[[Path], None]) -> None:
    file = getattr(job.paths, name)(1)
    harm(file)
    with pytest.raises(DamagedError) as error:
        parts_of(job, processes=2)
    assert error.value.path == file
