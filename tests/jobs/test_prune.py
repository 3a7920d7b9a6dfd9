from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.deduplicate import deduplicate, replace_submission
from virnucpro_tasks.jobs.job import Job, cancel_job, fail_job, reopen_job
from virnucpro_tasks.jobs.job_names import claim_name, job_named
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.jobs.prune import Keep, Prunable, PruneRule, Unpruned, forget_submissions, prunable_jobs, prune
from virnucpro_tasks.jobs.results import result_files
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.files import file_sha256

DAY = 86_400.0
OLD = PruneRule(30 * DAY)
RESULTS = PruneRule(30 * DAY, keep=Keep.RESULTS)


def aged(*marks: Path, days: float = 31) -> None:
    for mark in marks:
        time = mark.stat().st_mtime - days * DAY
        os.utime(mark, (time, time))


def found(store: Path, rule: PruneRule) -> list[str]:
    return [one.job.job_id for one in prunable_jobs(store, rule) if isinstance(one, Prunable)]


def the_only(store: Path, rule: PruneRule) -> Prunable:
    (one,) = prunable_jobs(store, rule)
    assert isinstance(one, Prunable)
    return one


def ended_long_ago(job: Job) -> Job:
    """`job` with results and work, as if it had been computed."""
    paths = job.paths
    paths.results.mkdir()
    (paths.results / "records.tsv").write_text("record_id\n")
    for file in (paths.frames(0), paths.scores(0), paths.embedding(0), paths.attempts(0), paths.plan):
        file.write_text("{}")
    report = {
        "exit_code": 0,
        "summary": "of a test",
        "warnings": [],
        "problems": [],
        "counts": {"records": {"invalid": 0, "quarantined": 0}, "chunks": {}},
        "sha256": {"records.tsv": file_sha256(paths.results / "records.tsv")},
    }
    for mark in (paths.results / COMMIT_MARK, paths.run):
        mark.write_text(json.dumps(report))
    aged(paths.run)
    return job


@pytest.fixture
def old(settings: Settings) -> Job:
    return ended_long_ago(make_job(settings, SAMPLE))


def test_only_jobs_that_ended_long_ago_are_found(settings: Settings) -> None:
    failed, cancelled, running, young, resumed = (make_job(settings, SAMPLE) for _ in range(5))
    for job in (failed, young):
        fail_job(job, "why", exit_code=ExitCode.BAD_INPUT)
    for job in (cancelled, resumed):
        cancel_job(job)
    aged(failed.paths.failed, cancelled.paths.cancelled, resumed.paths.cancelled, running.paths.job)
    aged(young.paths.failed, days=29)
    reopen_job(resumed, retry_quarantined=False)
    assert found(settings.store, OLD) == sorted([failed.job_id, cancelled.job_id])
    # A worker that has not noticed yet writes what it tries.
    cancelled.paths.attempts(0).touch()
    assert found(settings.store, OLD) == [failed.job_id]


def test_a_job_that_goes_on_after_it_was_found_stays(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    cancel_job(job)
    aged(job.paths.cancelled)
    one = the_only(settings.store, OLD)
    reopen_job(job, retry_quarantined=False)
    assert prune(one, OLD) == Unpruned(job.job_id, "it goes on again")
    assert job.paths.job.exists()


def test_a_finished_job_is_removed_with_its_name_and_nothing_else(old: Job) -> None:
    store = old.paths.store
    claim_name(store, "first", old.job_id)
    others = store / "jobs" / "notes of others"
    others.mkdir()
    one = the_only(store, OLD)
    assert one.state == "done" and one.age_seconds >= 31 * DAY
    assert prune(one, OLD) is None
    assert list((store / "jobs").iterdir()) == [others] and job_named(store, "first") is None
    # Removed by somebody else meanwhile
    assert prune(one, OLD) is None


def test_results_that_are_kept_are_whole_and_are_handed_out(old: Job, settings: Settings) -> None:
    before = {file: file.read_bytes() for file in result_files(old)}
    one = the_only(old.paths.store, RESULTS)
    assert prune(one, RESULTS) is None
    assert {file: file.read_bytes() for file in result_files(old)} == before
    left = {file.name for file in old.paths.root.iterdir()}
    assert left == {"bundle", "job.json", "plan.json", "quarantine", "results", "run.json"}
    assert job_progress(old).state == "done"
    # The same input finds it, and it is not pruned once more, but removed whole if it is to be.
    replace_submission(settings.store, old)
    assert deduplicate(settings.store, make_job(settings, SAMPLE)).job == old
    assert list(prunable_jobs(old.paths.store, RESULTS)) == []
    assert found(old.paths.store, OLD) == [old.job_id]


def test_work_is_not_deleted_where_the_results_are_damaged(old: Job) -> None:
    (old.paths.results / "records.tsv").write_text("")
    left = prune(the_only(old.paths.store, RESULTS), RESULTS)
    assert left is not None and "damaged" in left.reason
    assert any(old.paths.shards.iterdir())


def test_kept_vectors_are_results(settings: Settings) -> None:
    job = ended_long_ago(make_job(settings, SAMPLE, keep_embeddings=True))
    assert prune(the_only(settings.store, RESULTS), RESULTS) is None
    assert job.paths.embedding(0).exists() and job.paths.shards.exists() and not job.paths.inputs.exists()


def test_jobs_of_others_and_what_links_lead_to_stay(old: Job, tmp_path: Path) -> None:
    store = old.paths.store
    assert found(store, PruneRule(30 * DAY, owner="somebody else")) == []
    assert found(store, PruneRule(30 * DAY, uid=os.geteuid() + 1)) == []
    assert found(store, PruneRule(30 * DAY, owner=old.spec.owner, uid=os.geteuid())) == [old.job_id]
    moved = tmp_path / "moved"
    old.paths.shards.rename(moved)
    old.paths.shards.symlink_to(moved)
    assert prune(the_only(store, RESULTS), RESULTS) is None
    assert old.paths.shards.is_symlink() and any(moved.iterdir())
    assert prune(the_only(store, OLD), OLD) is None
    assert any(moved.iterdir()) and not old.paths.root.exists()


def test_a_job_that_lies_elsewhere_stays_and_one_that_is_gone_is_no_matter(old: Job, tmp_path: Path) -> None:
    one = the_only(old.paths.store, OLD)
    moved = old.paths.root.rename(tmp_path / "moved")
    assert prune(one, OLD) is None and list(prunable_jobs(old.paths.store, OLD)) == []
    old.paths.root.symlink_to(moved)
    (left,) = prunable_jobs(old.paths.store, OLD)
    assert isinstance(left, Unpruned) and "symbolic link" in left.reason and (moved / "run.json").exists()


def test_a_folder_of_another_user_keeps_the_whole_job(old: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root, as whom tests may run, may remove all.
    monkeypatch.setattr(os, "access", lambda path, mode: path != old.paths.shards or not mode & os.W_OK)
    left = prune(the_only(old.paths.store, OLD), OLD)
    assert left is not None and "another user" in left.reason and old.paths.run.exists()


def test_a_damaged_description_is_told_and_the_job_stays(old: Job) -> None:
    old.paths.job.write_text("{")
    (left,) = prunable_jobs(old.paths.store, OLD)
    assert isinstance(left, Unpruned) and "damaged" in left.reason


def test_an_input_with_another_name_elsewhere_frees_nothing(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "big.fasta"
    source.write_text(">a\n" + "ACGT" * 100_000 + "\n")
    job = make_job(settings, source)
    cancel_job(job)
    aged(job.paths.cancelled)
    assert the_only(settings.store, OLD).freed_bytes < 300_000
    source.unlink()
    assert the_only(settings.store, OLD).freed_bytes > 300_000


def test_notes_of_submissions_go_when_their_job_is_gone(settings: Settings) -> None:
    job = deduplicate(settings.store, make_job(settings, SAMPLE)).job
    (note,) = (settings.store / "submissions").iterdir()
    assert forget_submissions(settings.store, older_than_seconds=0) == 0
    shutil.rmtree(job.paths.root)
    assert forget_submissions(settings.store, older_than_seconds=DAY) == 0
    assert forget_submissions(settings.store, older_than_seconds=0) == 1
    assert not note.exists()
