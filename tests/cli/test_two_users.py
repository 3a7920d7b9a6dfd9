"""Two users, a service that computes for them, and a stranger, each a user of the system, on one store."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from as_user import ANN, BEN, LAB, SERVICE, STRANGER, Person, open_folder, shared_store
from cli.conftest import Ended, Virnucpro
from job import SAMPLE, run_job

from virnucpro_tasks.cli import admission, resume, submit
from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Status
from virnucpro_tasks.diagnosis.store import check_file_system, check_latency, check_rights, check_store
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import cancel_job, fail_job, job_ids, open_job
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.paths import new_job_id
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, folder: Path) -> Settings:
    return replace(settings, store=shared_store(folder))


@pytest.fixture(autouse=True)
def without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "check_redis", lambda _: None)
    monkeypatch.setattr(admission, "require_redis_room", lambda *_: None)
    monkeypatch.setattr(resume, "check_room", lambda _: None)
    for module, name in ((submit, "enqueue"), (submit, "requeue_if_lost"), (resume, "enqueue")):
        monkeypatch.setattr(module, name, lambda _app, _job: None)


@pytest.fixture
def private(folder: Path) -> Path:
    """An input that Ann alone may read."""
    return reads(folder / "reads.fasta", ANN, mode=0o600)


def reads(file: Path, owner: Person, *, mode: int) -> Path:
    file.write_bytes(SAMPLE.read_bytes())
    os.chown(file, owner.uid, owner.uid)
    file.chmod(mode)
    return file


def called(who: Person, virnucpro: Virnucpro, *arguments: object, umask: int = 0o002) -> Ended:
    with who.at_work(umask=umask):
        return virnucpro(*arguments)


def readable(who: Person, folder: Path) -> list[str]:
    """The files below `folder` that `who` can open, beside notes, which hold ids alone."""
    found = []
    with who.at_work():
        for place, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if name not in ("submissions", "names")]
            found += [name for name in files if os.access(Path(place, name), os.R_OK)]
    return found


def test_a_private_input_stays_so_from_its_submission_to_its_results(
    settings: Settings, virnucpro: Virnucpro, private: Path
) -> None:
    # Given an input that the workers could not read: it is refused, and nothing is left
    refused = called(ANN, virnucpro, "submit", private)
    assert refused.code == ExitCode.BAD_INPUT and job_ids(settings.store) == []
    assert f"{private}: it has mode 600: the group {LAB}" in refused.err[-1]
    assert f"chgrp {LAB} {private} && chmod g+r {private}; or with --share-input" in refused.err[-1]
    # When Ann shares it with the workers, and they compute
    (job_id,) = called(ANN, virnucpro, "submit", private, "--share-input").out
    job = open_job(settings.store, job_id)
    with SERVICE.at_work():
        run_job(job, settings)
    # Then nobody but these finds anything of it, and her file is as it was
    assert readable(STRANGER, settings.store) == []
    assert {"0000", "run.json", "records.tsv", "report.html"} <= set(readable(ANN, job.paths.root))
    assert stat.S_IMODE(private.stat().st_mode) == 0o600 and private.stat().st_nlink == 1
    assert stat.S_IMODE(job.paths.root.stat().st_mode) == 0o2770
    assert stat.S_IMODE(job.paths.input(0).stat().st_mode) == 0o660
    # Nor in results that she takes out of the store, unless into a folder that she has opened herself.
    (settings.store.parent / "ann").mkdir()
    os.chown(settings.store.parent / "ann", ANN.uid, ANN.uid)
    out = settings.store.parent / "ann" / "out"
    assert called(ANN, virnucpro, "results", job_id, "--output", out, umask=0o022).code == ExitCode.OK
    assert readable(BEN, out) == [] != readable(ANN, out)
    # And she can remove what the workers have written
    assert called(ANN, virnucpro, "remove", job_id).code == ExitCode.OK
    assert list((settings.store / "jobs").iterdir()) == []


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_umask_that_shuts_workers_out_is_named_with_the_one_to_type(
    settings: Settings, virnucpro: Virnucpro, folder: Path, umask: int
) -> None:
    public = reads(folder / "public.fasta", ANN, mode=0o644)
    refused = called(ANN, virnucpro, "submit", public, umask=umask)
    assert refused.code == ExitCode.JOB_FAILED and job_ids(settings.store) == []
    assert f"umask {umask:03o} closes the job" in refused.err[-1]
    assert f"type: umask {umask & ~0o070:03o}" in refused.err[-1]
    # And doctor finds the same
    with ANN.at_work(umask=umask):
        found = check_rights(Deployment(settings, make_app))
    assert found.status is Status.FAILED and found.detail in refused.err[-1] and found.advice in refused.err[-1]


def test_a_store_of_another_user_or_group_is_named_with_the_commands_that_share_it(
    settings: Settings, virnucpro: Virnucpro, folder: Path
) -> None:
    public = reads(folder / "public.fasta", ANN, mode=0o644)
    refused = called(STRANGER, virnucpro, "submit", public)
    assert refused.code == ExitCode.JOB_FAILED and f"chgrp {LAB} . jobs" in refused.err[-1]
    (settings.store / "jobs").chmod(0o3777)
    refused = called(STRANGER, virnucpro, "submit", public)
    assert f"sudo usermod -aG {LAB} {STRANGER.uid}" in refused.err[-1]
    assert job_ids(settings.store) == []


def test_a_file_in_a_closed_folder_is_private_though_its_own_mode_is_not(
    settings: Settings, virnucpro: Virnucpro, folder: Path
) -> None:
    home = folder / "home"
    home.mkdir()
    os.chown(home, ANN.uid, ANN.uid)
    home.chmod(0o700)
    file = reads(home / "reads.fasta", ANN, mode=0o644)
    refused = called(ANN, virnucpro, "submit", file)
    assert refused.code == ExitCode.BAD_INPUT and f"{home} has mode 700" in refused.err[-1]
    called(ANN, virnucpro, "submit", file, "--share-input")
    assert readable(STRANGER, settings.store) == [] != readable(SERVICE, settings.store)


def test_one_user_alone_needs_no_consent_and_is_as_private(
    settings: Settings, virnucpro: Virnucpro, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = settings.store.parent / "mine"
    mine.mkdir()
    os.chown(mine, ANN.uid, ANN.uid)
    for umask in (0o022, 0o002):
        ended = called(ANN, virnucpro, "submit", private, "--force-new", "--store", mine, umask=umask)
        assert ended.code == ExitCode.OK
    with ANN.at_work():
        for job_id in job_ids(mine):
            run_job(open_job(mine, job_id), settings)
    for other in (STRANGER, BEN, SERVICE):
        assert readable(other, mine / "jobs") == []


@pytest.mark.parametrize("command", [["cancel"], ["resume"], ["remove", "--force"]])
def test_only_who_submitted_a_job_and_the_operator_may_stop_and_remove_it(
    settings: Settings, virnucpro: Virnucpro, folder: Path, command: list[str]
) -> None:
    public = reads(folder / "public.fasta", ANN, mode=0o644)
    for who in (SERVICE, ANN):
        (job_id,) = called(ANN, virnucpro, "submit", public, "--force-new").out
        with SERVICE.at_work():
            fail_job(open_job(settings.store, job_id), "why", exit_code=ExitCode.JOB_FAILED)
        before = sorted(settings.store.rglob("*"))
        refused = called(BEN, virnucpro, *command, job_id)
        assert refused.code == ExitCode.JOB_FAILED and sorted(settings.store.rglob("*")) == before
        assert f"{ANN.uid} submitted it; you are {BEN.uid}" in refused.err[-1]
        assert f"sudo -u '#{SERVICE.uid}' virnucpro {command[0]}" in refused.err[-1]
        assert called(who, virnucpro, *command, job_id).code == ExitCode.OK
        assert sorted(settings.store.rglob("*")) != before


def test_commands_on_many_jobs_leave_those_of_others(settings: Settings, virnucpro: Virnucpro, folder: Path) -> None:
    public = reads(folder / "public.fasta", ANN, mode=0o644)
    (job_id,) = called(ANN, virnucpro, "submit", public).out
    with SERVICE.at_work():
        fail_job(open_job(settings.store, job_id), "why", exit_code=ExitCode.JOB_FAILED)
    assert called(BEN, virnucpro, "resume", "--all").err == ["1 job of other users left as it is"]
    pruned = called(BEN, virnucpro, "prune", "--older-than", "0.0001s", "--all-owners")
    assert pruned.code == ExitCode.JOB_FAILED and f"{ANN.uid} submitted it" in pruned.err[-1]
    # Nor does the same input of another user go on with a job that its owner has stopped.
    with ANN.at_work():
        cancel_job(open_job(settings.store, job_id))
    (other,) = called(BEN, virnucpro, "submit", public).out
    assert other != job_id and open_job(settings.store, job_id).paths.cancelled.exists()


def test_what_workers_have_closed_is_not_half_removed(settings: Settings, virnucpro: Virnucpro, folder: Path) -> None:
    public = reads(folder / "public.fasta", ANN, mode=0o644)
    (job_id,) = called(ANN, virnucpro, "submit", public).out
    job = open_job(settings.store, job_id)
    with SERVICE.at_work(umask=0o022):
        job.paths.results.mkdir()
        fail_job(job, "why", exit_code=ExitCode.JOB_FAILED)
    before = sorted(settings.store.rglob("*"))
    refused = called(ANN, virnucpro, "remove", job_id)
    assert refused.code == ExitCode.JOB_FAILED and sorted(settings.store.rglob("*")) == before
    assert f"{job.paths.results} belongs to {SERVICE.uid}" in refused.err[-1]
    assert called(SERVICE, virnucpro, "remove", job_id).code == ExitCode.OK and not job.paths.root.exists()


def test_users_with_groups_of_their_own_do_not_meet(
    settings: Settings, virnucpro: Virnucpro, folder: Path, private: Path
) -> None:
    # Given a store in which each may make jobs, and a service that is in the group of each
    for place in ("jobs", "names", "submissions"):
        (settings.store / place).chmod(0o1777)
    service = Person(SERVICE.uid, (ANN.uid, BEN.uid))
    (first,) = called(ANN, virnucpro, "submit", private, "--share-input", "--name", "mine", umask=0o007).out
    theirs = reads(folder / "theirs.fasta", BEN, mode=0o600)
    theirs = theirs.rename(folder / "reads-2.fasta")
    # Then the service computes, and another user finds nothing: not the job, its name, nor that he had the same input
    with service.at_work(umask=0o007):
        run_job(open_job(settings.store, first), settings)
    assert readable(BEN, settings.store) == []
    (second,) = called(BEN, virnucpro, "submit", theirs, "--share-input", umask=0o007).out
    assert second != first
    taken = called(BEN, virnucpro, "submit", theirs, "--share-input", "--force-new", "--name", "mine", umask=0o007)
    assert taken.code == ExitCode.USAGE and "is taken" in taken.err[-1]
    for command in (["status"], ["results"], ["cancel"]):
        refused = called(BEN, virnucpro, *command, first)
        assert refused.code == ExitCode.JOB_FAILED and first in refused.err[-1]
    assert [line.split("\t")[0] for line in called(BEN, virnucpro, "list").out[1:]] == [second]
    assert called(ANN, virnucpro, "remove", first).code == ExitCode.OK
    assert job_ids(settings.store) == [second]
    # The note of a name that its job has left behind is not his either.
    with ANN.at_work():
        (settings.store / "names" / "gone").write_text(f"{new_job_id()} gone\n")
    taken = called(BEN, virnucpro, "submit", theirs, "--share-input", "--force-new", "--name", "gone", umask=0o007)
    assert taken.code == ExitCode.USAGE and "gone is taken by a job of another user" in taken.err[-1]
    # And all that doctor asks of the store is answered for each.
    with BEN.at_work(umask=0o007):
        deployment = Deployment(settings, make_app)
        for check in (check_store, check_rights, check_latency, check_file_system):
            assert check(deployment).status is not Status.FAILED


def test_the_id_of_a_store_can_be_read_by_all_who_may_enter_it(folder: Path) -> None:
    for mode, expected in ((0o755, 0o644), (0o750, 0o640), (0o700, 0o600)):
        store = folder / f"{mode:o}"
        store.mkdir()
        store.chmod(mode)
        os.chown(store, SERVICE.uid, LAB)
        with SERVICE.at_work(umask=0o077):
            store_id(store)
        assert stat.S_IMODE((store / "store-id").stat().st_mode) == expected
