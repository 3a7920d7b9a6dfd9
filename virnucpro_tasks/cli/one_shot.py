"""Running one job on this host, with a private Redis and workers that end with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.cli.messages import say, tell_detail, wants_details, warn_of_empty_inputs
from virnucpro_tasks.errors import ExitCode, JobError, OutputError
from virnucpro_tasks.jobs.deduplicate import deduplicate
from virnucpro_tasks.jobs.job import Job, remove_job
from virnucpro_tasks.jobs.leftovers import left_behind, remove_leftover, remove_run_folders
from virnucpro_tasks.jobs.most_shards import most_shards
from virnucpro_tasks.jobs.output_options import TABLES_ONLY
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait, job_progress
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.extras import require_extra
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.run_lock import RunLock

GLANCE_SECONDS = 0.02
"""So soon after the end of the job the command goes on; a look at its folder takes microseconds."""


def run_here(settings: Settings, job: Job, *, devices: str, quiet: bool, shows_progress: bool = True) -> Progress:
    """Run `job` on `devices` until it is final, and show its progress unless `quiet`; returns the last snapshot.

    A finished job is not run again. How it ended is for the caller to say.
    """
    if exists(job.paths.run):
        return job_progress(job)
    # All of the job is in its folder: what Redis loses is queued again.
    with EmbeddedBroker(near=settings.store, durable=False, awaited=False) as broker:
        settings = replace(settings, broker_url=broker.url)
        with LocalWorkers(settings, devices=devices, most_devices=most_shards(job)) as workers:
            # Until the job is queued, and when its results are complete, they need not be waited for.
            workers.have_work = False
            progress = _follow_here(settings, job, broker, workers, quiet=quiet, shows_progress=shows_progress)
            workers.have_work = progress.state is not JobState.DONE
            return progress


def _follow_here(
    settings: Settings,
    job: Job,
    broker: EmbeddedBroker,
    workers: LocalWorkers,
    *,
    quiet: bool,
    shows_progress: bool,
) -> Progress:
    """Queue `job` and show its progress until it is final."""
    # Imported here: Redis and the workers start meanwhile.
    from virnucpro_tasks.cli.deployment import app_of
    from virnucpro_tasks.cli.follow import follow
    from virnucpro_tasks.queue.client import enqueue, requeue_if_lost

    app = app_of(settings)
    broker.await_answer()
    workers.have_work = True
    enqueue(app, job)

    def check() -> None:
        workers.check()
        if broker.revive():
            say("warning: the private Redis had ended and was started again", quiet=quiet)
            requeue_if_lost(app, job)

    try:
        return follow(
            app,
            job,
            lease_seconds=settings.lease_seconds,
            quiet=quiet,
            shows_progress=shows_progress,
            tells_end=False,
            check=check,
            news=lambda progress: _news(workers),
            wait=lambda progress: wait_here(progress, workers.loading_seconds()),
            glance_seconds=GLANCE_SECONDS,
        )
    except BaseException as error:
        for line in workers.log_lines() if wants_details() else []:
            tell_detail(line)
        if not isinstance(error, KeyboardInterrupt):
            raise
        say("stopping the workers, which takes seconds", quiet=quiet)
        raise


def _news(workers: LocalWorkers) -> Iterator[str]:
    """Yield the news of the workers; their log goes to whoever asked for it by --log-file or --verbose."""
    if wants_details():
        for line in workers.log_lines():
            tell_detail(line)
    yield from workers.news()


def wait_here(progress: Progress, loading_seconds: float | None) -> Wait | None:
    """The reason for which a job of this host waits while its workers load; None if one of them computes."""
    reasons = {JobState.QUEUED: "starting the workers", JobState.EMBEDDING: "loading models"}
    if loading_seconds is None or progress.state not in reasons:
        return None
    return Wait(reasons[progress.state], loading_seconds)


def embed_here(
    settings: Settings,
    inputs: Sequence[Path],
    *,
    devices: str,
    quiet: bool,
    scored: bool,
    chunk_length: int | None = None,
    coverage: Coverage = Coverage.FRAMES,
    both_strands: bool = False,
) -> Job:
    """A finished job over `inputs` that kept its vectors, run here unless an earlier command has done that.

    The bundle needs a head only if the records are to be `scored`. Raises BackendError, JobError if the job fails, and
    OutputError while another command computes in the store.
    """
    require_extra("worker")
    job = submit(
        settings,
        list(inputs),
        chunk_length=chunk_length,
        min_length=None,
        strict=False,
        keep_embeddings=True,
        priority=0,
        scored=scored,
        coverage=coverage,
        both_strands=both_strands,
        outputs=TABLES_ONLY,
    )
    submission = deduplicate(settings.store, job)
    job = submission.job
    warn_of_empty_inputs(job, quiet=quiet)
    if exists(job.paths.run):
        say(f"the vectors of job {job.job_id} are used", quiet=quiet)
        return job
    try:
        with RunLock(settings.store, say=lambda line: say(line, quiet=quiet)):
            if submission.state is not None:
                say(f"an earlier command was interrupted: job {job.job_id} goes on", quiet=quiet)
            for path in left_behind(settings.store):
                remove_leftover(path)
            remove_run_folders(settings.store)
            progress = run_here(settings, job, devices=devices, quiet=quiet)
    except OutputError:
        if submission.state is None:
            remove_job(job, force=True)
        raise
    if progress.exit_code not in (ExitCode.OK, ExitCode.INCOMPLETE):
        raise JobError(progress.message or "it did not end well", job_id=job.job_id)
    if progress.message:
        say(progress.message, quiet=quiet)
    return job
