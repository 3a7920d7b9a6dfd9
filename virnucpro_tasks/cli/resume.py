"""`virnucpro resume`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from virnucpro_tasks.build import own_build
from virnucpro_tasks.cli.admission import admit_again
from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.job_argument import meant_job
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.moment import MomentType
from virnucpro_tasks.cli.options import deployment_options, settings_of
from virnucpro_tasks.errors import BrokerError, ExitCode, JobError, VirnucproError, counted
from virnucpro_tasks.jobs.authority import foreign_owner, require_authority
from virnucpro_tasks.jobs.begin_anew import begin_anew, require_input_of_its_own
from virnucpro_tasks.jobs.failed import FailedJob, failed_jobs
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.jobs.job import Job, cancel_job, open_job, reopen_job
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.queue.client import enqueue, hold_off_older_before
from virnucpro_tasks.queue.redis_checks import check_room
from virnucpro_tasks.queue.release import release
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.files import store_write_error

MORE_SECONDS = 10.0
"""A task whose worker is dead is let go when its lease has lapsed, and one that is told to stop does so within this."""


@click.command("resume")
@click.argument("job_id", metavar="JOB", required=False)
@click.option("--all", "resumes_all", is_flag=True, help="All failed jobs of the store instead of one.")
@click.option(
    "--failed-since",
    "since",
    type=MomentType(),
    metavar="WHEN",
    help="The jobs that have failed since then: 30m, 2h or 1d ago, or a date with or without time.",
)
@click.option("--retry-quarantined", is_flag=True, help="Try quarantined records again.")
@click.option("--anyway", is_flag=True, help="Resume even if the store or Redis seems to lack room for the job.")
@click.option(
    "--this-version",
    is_flag=True,
    help="Begin a job of another version anew with that of this command; nothing computed is kept.",
)
@deployment_options
@click.pass_context
def command(
    context: click.Context,
    /,
    job_id: str | None,
    *,
    resumes_all: bool,
    since: float | None,
    retry_quarantined: bool,
    anyway: bool,
    this_version: bool,
    **flags: Any,
) -> int:
    """Continue a job that was cancelled, has failed, or was lost with Redis; finished shards are kept.

    With --all or --failed-since all jobs that have failed, but for those whose input is at fault, and those of other
    users; cancelled ones stay.

    Only workers of the version that a job was submitted with work at it. If there are none any more, --this-version
    lets it begin anew.
    """
    several = resumes_all or since is not None
    if several == (job_id is not None):
        raise click.UsageError("give one JOB, or --all, or --failed-since WHEN", context)
    settings = settings_of(context, **flags)
    if several:
        resume = partial(
            _resume, settings, retry_quarantined=retry_quarantined, anyway=anyway, this_version=this_version
        )
        return _resume_failed(settings, since or 0.0, resume)
    assert job_id is not None, "checked above"
    job = meant_job(settings, job_id)
    if exists(job.paths.run):
        say(f"job {job.job_id} is finished: see 'virnucpro results {job.job_id}'")
        return ExitCode.OK
    require_authority(job.paths, "resume")
    resume = partial(_resume, settings, retry_quarantined=retry_quarantined, anyway=anyway, this_version=this_version)
    resume(app_of(settings), job)
    return ExitCode.OK


def _resume(
    settings: Settings, app: VirnucproApp, job: Job, *, retry_quarantined: bool, anyway: bool, this_version: bool
) -> None:
    # Before the marks of the failure are removed.
    check_room(app)
    hold_off_older_before(app)
    if not anyway:
        admit_again(app, job)
    is_other = job.spec.build != own_build()
    if is_other and this_version:
        before, job = job, _begin_anew(settings, app, job)
        enqueue(app, job)
        say(f"job {job.job_id} of {before.spec.named_build} is queued, to begin anew with {job.spec.named_build}")
        return
    reopen_job(job, retry_quarantined=retry_quarantined)
    enqueue(app, job)
    say(f"job {job.job_id} is queued")
    if is_other:
        say(
            f"it is of {job.spec.named_build}, and waits for workers of that; with --this-version it begins anew with"
            " the version of this command"
        )


def _begin_anew(settings: Settings, app: VirnucproApp, job: Job) -> Job:
    """Take `job` from the workers of its build, and give it this one. Raises JobError if they do not let go of it."""
    require_input_of_its_own(job)
    cancel_job(job)
    held = release(
        app,
        job,
        lease_seconds=settings.lease_seconds,
        patience_seconds=settings.lease_seconds + MORE_SECONDS,
        tell=lambda held: say(f"waiting for workers of {job.spec.named_build} to let go of {counted(held, 'task')}"),
    )
    if held:
        raise JobError(
            f"workers of {job.spec.named_build} are still at {counted(held, 'task')} of it",
            job_id=job.job_id,
            hint="it is cancelled now: repeat the command when they have ended, or stop them",
        )
    try:
        return begin_anew(job)
    except OSError as error:
        raise store_write_error(error, job.paths.root) from error


def _resume_failed(settings: Settings, since: float, resume: Callable[[VirnucproApp, Job], None]) -> int:
    """Resume the jobs that have failed since that time; returns the exit code of the last one that cannot be."""
    require_store(settings.store)
    app, code = app_of(settings), ExitCode.OK
    found = list(failed_jobs(settings.store, since=since))
    others = [failed for failed in found if foreign_owner(JobPaths.of(settings.store, failed.job_id)) is not None]
    found = [failed for failed in found if failed not in others]
    at_fault = [failed for failed in found if failed.exit_code == ExitCode.BAD_INPUT]
    for failed in found:
        if failed not in at_fault:
            code = _resumed(app, settings, failed, resume) or code
    if at_fault:
        say(f"{counted(len(at_fault), 'job')} left as {'it is' if len(at_fault) == 1 else 'they are'}: bad input")
    if others:
        say(f"{counted(len(others), 'job')} of other users left as {'it is' if len(others) == 1 else 'they are'}")
    elif not found:
        say(f"no job of the store {settings.store} has failed{' since then' if since else ''}")
    return code


def _resumed(
    app: VirnucproApp, settings: Settings, failed: FailedJob, resume: Callable[[VirnucproApp, Job], None]
) -> ExitCode:
    """Resume one of several jobs; an error is told, and none of the others waits for it. Raises BrokerError."""
    try:
        resume(app, open_job(settings.store, failed.job_id))
    except BrokerError:
        raise
    except JobError as error:
        say(f"warning: {error}")
        return error.exit_code
    except VirnucproError as error:
        say(f"warning: job {failed.job_id}: {error}")
        return error.exit_code
    return ExitCode.OK
