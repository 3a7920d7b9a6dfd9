"""Following a job until it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from celery import Celery

from virnucpro_tasks.cli.job_end import tell_end
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.progress import progress_display
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress
from virnucpro_tasks.queue.client import wait_for
from virnucpro_tasks.system.interruption import raise_if_interrupted


def follow(
    app: Celery,
    job: Job,
    *,
    lease_seconds: float,
    quiet: bool = False,
    tells_end: bool = True,
    check: Callable[[], None] | None = None,
    news: Callable[[], Iterable[str]] | None = None,
    glance_seconds: float | None = None,
) -> Progress:
    """Show progress on standard error until the job is final; returns the last snapshot.

    With `tells_end` its message at the end is printed. `check` is called with every snapshot and may raise to end the
    waiting; the lines of `news` are printed before it. `glance_seconds` is that of `wait_for`.
    """
    progress = None
    with progress_display(quiet=quiet) as show:
        for progress in wait_for(app, job, lease_seconds=lease_seconds, glance_seconds=glance_seconds):
            raise_if_interrupted()
            show(progress)
            for line in news() if news is not None else ():
                say(line, quiet=quiet)
            if check is not None and not progress.is_final:
                check()
    assert progress is not None, "waiting yields at least one snapshot"
    if tells_end:
        tell_end(progress, quiet=quiet)
    return progress
