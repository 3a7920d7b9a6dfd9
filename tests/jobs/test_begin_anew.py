"""Jobs of other builds: who works at them, what they have computed, and how they begin anew."""

from __future__ import annotations

import json

import pytest
from builds import OTHER, another_build, as_of_07
from job import SAMPLE, embed, make_job, run_job

from virnucpro_tasks.build import own_build
from virnucpro_tasks.errors import JobDamagedError, JobError, OtherBuildError
from virnucpro_tasks.jobs.begin_anew import begin_anew
from virnucpro_tasks.jobs.deduplicate import content_key, deduplicate
from virnucpro_tasks.jobs.job import Job, cancel_job, open_for_work, open_job
from virnucpro_tasks.jobs.rescored import RescoredWork
from virnucpro_tasks.pipeline.split import missing_shards, split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.system.files import CHECKSUM, checksum, write_json


def made_by_another(settings: Settings) -> Job:
    with another_build():
        return make_job(settings, SAMPLE)


def test_a_job_is_of_the_build_that_submits_it(settings: Settings) -> None:
    ours, theirs = make_job(settings, SAMPLE), made_by_another(settings)
    assert (ours.spec.build, theirs.spec.build) == (own_build(), OTHER)
    assert content_key(ours.spec) != content_key(theirs.spec)
    assert ours.queue.startswith(f"gpu-{ours.spec.bundle_digest[:12]}-{own_build()}.")
    assert theirs.coordinator_queue == f"cpu-small.{OTHER}"
    old = as_of_07(theirs)
    assert old.coordinator_queue == "cpu-small" and old.queue.startswith(f"gpu-{old.spec.bundle_digest[:12]}.")


def test_workers_leave_jobs_of_other_builds_alone_and_do_not_end_them(settings: Settings) -> None:
    for job in (made_by_another(settings), as_of_07(make_job(settings, SAMPLE))):
        with pytest.raises(OtherBuildError, match="left to workers of that build"):
            open_for_work(settings.store, job.job_id)
        assert open_job(settings.store, job.job_id) == job
        assert not job.paths.failed.exists()


def test_a_description_of_a_later_version_is_told_from_a_damaged_one(settings: Settings) -> None:
    job = made_by_another(settings)
    content = json.loads(job.paths.job.read_text()) | {"version": "9.1", "colour": "blue"}
    del content[CHECKSUM]
    write_json(job.paths.job, content | {CHECKSUM: checksum(content)})
    with pytest.raises(OtherBuildError, match=rf"of version 9.1 \(build {OTHER}\), in a form that .* cannot read"):
        open_for_work(settings.store, job.job_id)
    assert not job.paths.failed.exists()
    # Changed by hand, or without a checksum, nothing of it can be believed.
    for damaged in (content | {CHECKSUM: "0" * 64}, content):
        write_json(job.paths.job, damaged)
        with pytest.raises(JobDamagedError):
            open_job(settings.store, job.job_id)


def test_vectors_of_another_build_count_for_nothing(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    list(split_files(job))
    embed(job, 0, settings)
    assert missing_shards(job, read_plan(job.paths.plan)) == []
    assert missing_shards(as_of_07(job), read_plan(job.paths.plan)) == [0]


def test_a_job_that_begins_anew_keeps_its_id_and_nothing_that_was_computed(settings: Settings) -> None:
    with another_build():
        job = make_job(settings, SAMPLE)
        list(split_files(job))
        embed(job, 0, settings)
    job.paths.results.mkdir()
    cancel_job(job)
    begun = begin_anew(job)
    assert begun.job_id == job.job_id and begun == open_for_work(settings.store, job.job_id)
    assert (begun.spec.build, begun.spec.inputs) == (own_build(), job.spec.inputs)
    left = {path.relative_to(job.paths.root).parts[0] for path in job.paths.root.rglob("*") if path.is_file()}
    assert left == {"job.json", "input", "bundle"}
    run_job(begun, settings)
    fresh = make_job(settings, SAMPLE)
    run_job(fresh, settings)
    report, expected = (json.loads(one.paths.run.read_text()) for one in (begun, fresh))
    assert report["build"] == own_build()
    assert {worker["build"] for worker in report["times"]["workers"]} == {own_build()}
    assert report["sha256"]["records.tsv"] == expected["sha256"]["records.tsv"]
    # And equal work finds it.
    assert deduplicate(settings.store, make_job(settings, SAMPLE)).job.job_id == job.job_id


def test_a_process_of_the_old_build_that_comes_back_writes_no_plan(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    splitting = split_files(job)
    next(splitting)
    with another_build():
        begin_anew(job)
    assert list(splitting) == [] and not job.paths.plan.exists()


def test_finished_and_rescored_jobs_do_not_begin_anew(settings: Settings) -> None:
    finished = make_job(settings, SAMPLE)
    finished.paths.run.write_text("{}")
    rescored = make_job(settings, SAMPLE, rescored=RescoredWork("a folder", "vectors"))
    for job, why in ((finished, "already finished"), (rescored, "repeat 'virnucpro rescore'")):
        before = job.paths.job.read_bytes()
        with pytest.raises(JobError, match=why):
            begin_anew(job)
        assert job.paths.job.read_bytes() == before
