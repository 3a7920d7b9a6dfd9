"""Following a job until it ends."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from celery import Celery

from virnucpro_tasks.cli.deployment_news import deployment_news
from virnucpro_tasks.cli.interrupted import saying_how_to_go_on
from virnucpro_tasks.cli.job_end import tell_end
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.progress import progress_display
from virnucpro_tasks.errors import ExitCode, WaitedLongEnoughError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, Wait
from virnucpro_tasks.queue.client import wait_for
from virnucpro_tasks.system.interruption import raise_if_interrupted


def follow(
    app: Celery,
    job: Job,
    *,
    lease_seconds: float,
    quiet: bool = False,
    shows_progress: bool = True,
    tells_end: bool = True,
    timeout_seconds: float | None = None,
    check: Callable[[], None] | None = None,
    news: Callable[[Progress], Iterable[str]] | None = None,
    wait: Callable[[Progress], Wait | None] | None = None,
    glance_seconds: float | None = None,
    last_news: Callable[[Progress], Iterable[str]] | None = None,
) -> Progress:
    """Follow the job until it is final or the time is over; returns the last snapshot.

    With `shows_progress` its progress is shown on standard error, and with `tells_end` its message at the end. `check`
    is called with every snapshot and may raise to end the waiting; the lines of `news` are printed before it. `wait`
    says what the job waits for. A job that is not final after `timeout_seconds` has the exit code TIMED_OUT; the lines
    of `last_news` are printed then. `glance_seconds` is that of `wait_for`.
    """
    until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    progress, trouble = None, ""
    with progress_display(quiet=quiet or not shows_progress) as show:
        for progress in wait_for(app, job, lease_seconds=lease_seconds, glance_seconds=glance_seconds):
            raise_if_interrupted()
            lines = list(news(progress)) if news is not None else []
            show(progress, wait(progress) if wait is not None else None)
            for line in lines:
                say(line, quiet=quiet)
            if progress.is_final:
                continue
            if progress.message and not trouble:
                say(f"warning: {progress.message}", quiet=quiet)
            trouble = progress.message
            if check is not None:
                check()
            if until is not None and time.monotonic() >= until:
                for line in last_news(progress) if last_news is not None else []:
                    say(line, quiet=quiet)
                progress = replace(progress, exit_code=ExitCode.TIMED_OUT)
                break
    assert progress is not None, "waiting yields at least one snapshot"
    if progress.is_final and tells_end:
        tell_end(progress, quiet=quiet)
    return progress


def follow_deployed(
    app: Celery, job: Job, *, lease_seconds: float, timeout_seconds: float | None, again: str
) -> Progress:
    """`follow` a job of a deployment, with news of its workers; an interruption says that it goes on, and `again`."""
    with saying_how_to_go_on(f"the job goes on: {again}"), deployment_news(app, job) as news:
        return follow(
            app,
            job,
            lease_seconds=lease_seconds,
            timeout_seconds=timeout_seconds,
            news=news.lines,
            wait=news.wait,
            last_news=news.last_lines,
        )


def how_to_go_on(job: Job, output: Path | None = None) -> str:
    """The commands for a job that is no longer followed, and goes on; its results were to be copied to `output`."""
    ways = f"'virnucpro watch {job.job_id}' follows it, 'virnucpro cancel {job.job_id}' stops it"
    if output is None:
        return ways
    return f"{ways}, 'virnucpro results {job.job_id} --output {shlex.quote(str(output))}' copies its results"


def require_end(progress: Progress, *, timeout_seconds: float | None, hint: str) -> None:
    """Raise WaitedLongEnoughError for a snapshot of a job that was followed for `timeout_seconds` and goes on."""
    if progress.exit_code is ExitCode.TIMED_OUT:
        raise WaitedLongEnoughError(
            f"it is {progress.state} after {timeout_seconds:g} s, and goes on", job_id=progress.job_id, hint=hint
        )
