from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from job import SAMPLE, all_jobs, make_job

from virnucpro_tasks.jobs.job import Job, remove_job
from virnucpro_tasks.jobs.leftovers import (
    DAY_SECONDS,
    is_left_behind,
    left_behind,
    remove_leftover,
    remove_run_folders,
    remove_unfinished,
    unfinished,
)
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system import owners
from virnucpro_tasks.system.owners import temporary_name


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def of_a_killed_process(name: str) -> str:
    """A temporary name of a process that is gone: the first process of this host began at another time."""
    pid, started = str(os.getpid()), str(owners._own_start(os.getpid()))
    return temporary_name(name).replace(f".{pid}-{started}.", ".1-1.")


def aged(path: Path) -> Path:
    os.utime(path, (1, 1))
    return path


def test_what_killed_writers_left_in_a_job_is_found_and_what_others_are_writing_is_not(job: Job) -> None:
    left = {
        job.paths.root / of_a_killed_process("results"),
        job.paths.embeddings / of_a_killed_process("000001.safetensors"),
        job.paths.store / "jobs" / of_a_killed_process(job.job_id),
        job.paths.store / "submissions" / of_a_killed_process("key"),
    }
    job.paths.store.joinpath("submissions").mkdir()
    for path in left:
        path.mkdir()
        (path / "file").touch()
    (job.paths.scores(0).with_name(temporary_name("000000.safetensors"))).touch()
    (job.paths.embeddings / ".nfs0000000000000001").touch()
    assert set(left_behind(job.paths.store)) == left
    assert all(remove_leftover(path) for path in left)
    assert left_behind(job.paths.store) == [] and len(list(unfinished(job.paths.store))) == 1


def test_what_tells_no_maker_is_left_behind_after_a_day(job: Job) -> None:
    removed = job.paths.store / "jobs" / "20260101t000000z-aaaaaaaaaaaaaaaa"
    for path in (removed, removed / "input"):
        path.mkdir()
    old = job.paths.shards / ".000001.frames.parquet.12.0123abcd.tmp"
    old.touch()
    assert left_behind(job.paths.store) == []
    for path in (removed / "input", removed, old):
        aged(path)
    assert set(left_behind(job.paths.store)) == {removed, old}


def test_of_another_host_what_is_a_day_old_counts(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    here = owners.this_place()
    with monkeypatch.context() as patch:
        patch.setattr(owners, "this_place", lambda: replace(here, host="elsewhere"))
        file = job.paths.shards / temporary_name("000001.frames.parquet")
    file.touch()
    assert not is_left_behind(file)
    now = file.stat().st_mtime
    os.utime(file, (now - DAY_SECONDS - 60, now - DAY_SECONDS - 60))
    assert is_left_behind(file)


def test_files_of_other_users_are_theirs(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    file = job.paths.shards / of_a_killed_process("000001.frames.parquet")
    file.touch()
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert not is_left_behind(file)


def test_who_has_a_store_for_itself_removes_all_but_what_is_being_written(job: Job) -> None:
    gone, young = job.paths.shards / of_a_killed_process("a"), job.paths.shards / ".a.12.0123abcd.tmp"
    writing = job.paths.shards / temporary_name("a")
    for file in (gone, young, writing):
        file.touch()
    remove_unfinished(job.paths.store)
    assert list(job.paths.shards.iterdir()) == [writing]


def test_folders_of_a_killed_run_in_its_store_are_removed_and_other_ones_stay(job: Job) -> None:
    for name in ("vnp-a", "vnp-run-b", "mine"):
        (job.paths.store / name).mkdir()
    remove_run_folders(job.paths.store)
    assert sorted(entry.name for entry in job.paths.store.iterdir()) == ["jobs", "mine"]


def test_links_are_removed_and_never_followed(job: Job, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "shards").mkdir(parents=True)
    kept = outside / "shards" / of_a_killed_process("file")
    kept.touch()
    (job.paths.store / "jobs" / "20260101t000000z-aaaaaaaaaaaaaaaa").symlink_to(outside)
    (job.paths.root / "linked").symlink_to(outside / "shards")
    link = job.paths.root / of_a_killed_process("results")
    link.symlink_to(outside)
    assert left_behind(job.paths.store) == [link]
    assert remove_leftover(link)
    assert kept.exists()


def test_a_removed_job_is_gone_in_one_step_and_what_is_left_of_it_is_found(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virnucpro_tasks.jobs.job.remove_tree", lambda folder: False)
    remove_job(job, force=True)
    assert not job.paths.root.exists() and all_jobs(settings) == []
    (rest,) = unfinished(settings.store)
    assert rest.name.startswith(f".{job.job_id}.")


def test_a_store_that_is_not_there_has_no_leftovers(tmp_path: Path) -> None:
    assert left_behind(tmp_path / "none") == []
