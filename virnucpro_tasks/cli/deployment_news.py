"""News of a deployment's workers, for a person who follows a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from celery import Celery

from virnucpro_tasks.errors import BrokerError, FullBrokerError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, Wait
from virnucpro_tasks.keys import gpu_queue
from virnucpro_tasks.queue.client import WorkerInfo, worker_troubles, workers
from virnucpro_tasks.queue.waiting import missing_workers, wait_of

ASK_SECONDS = 5.0
"""Time between two questions to the workers."""

THREAD = "deployment-news"

ANSWER_SECONDS = 1.0
"""Time that workers have for an answer: less than other commands give them, since the question is asked again."""


CERTAIN_SECONDS = 10.0
"""Time from the first question in which workers that have not answered may only be busy, or about to start."""

LAST_SECONDS = 2 * ANSWER_SECONDS
"""Time beyond the end of a short waiting in which the first answer is still told."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of Redis and the workers: the workers, or why none could be asked, and recent deaths.

    `is_full` says that Redis has no room.
    """

    workers: tuple[WorkerInfo, ...] = ()
    error: str = ""
    troubles: tuple[str, ...] = ()
    at: float = 0.0
    is_full: bool = False


class DeploymentNews:
    """Says what a job lacks, from the last answer, a line for each change; and what it waits for.

    The lines: deaths of workers, that no worker takes the job, that one does again, that Redis is away, or is back.
    """

    def __init__(
        self,
        job: Job,
        latest: Callable[[], Answer | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        await_first: Callable[[float], object] = lambda seconds: None,
    ):
        self._job = job
        self._latest = latest
        self._clock = clock
        self._await_first = await_first
        self._seen: Answer | None = None
        self._deaths: set[str] = set()
        self._error = ""
        self._missing: list[str] = []
        self._had_all = False
        self._certain_at = clock() + CERTAIN_SECONDS

    def lines(self, progress: Progress) -> Iterator[str]:
        """The lines that are new since the last call."""
        answer = self._latest()
        if answer is None or answer is self._seen or progress.is_final:
            return
        self._seen = answer
        for line in answer.troubles:
            # The same death is as many seconds older at each question.
            who, _, what = line.partition(" ago: ")
            death = f"{who.partition(',')[0]}: {what}"
            if death not in self._deaths:
                self._deaths.add(death)
                yield f"warning: {line}"
        if answer.error:
            if not self._error:
                yield f"warning: {answer.error}"
            self._error = answer.error
            return
        if self._error:
            self._error = ""
            yield "Redis answers again"
        missing = missing_workers(self._job, progress, answer.workers)
        if missing and (self._had_all or not self._is_certain()):
            # They may only be slow to answer: a later answer decides.
            self._had_all = False
            return
        self._had_all = not missing
        yield from (line for line in missing if line not in self._missing)
        if self._missing and not missing:
            yield "workers take the job now"
        self._missing = missing

    def last_lines(self, progress: Progress) -> Iterator[str]:
        """`lines` for whoever stops waiting: if nothing was answered yet, after waiting for that a little longer."""
        self._await_first(LAST_SECONDS)
        self._certain_at, self._seen = self._clock(), None
        yield from self.lines(progress)

    def _is_certain(self) -> bool:
        """Whether workers have had the time to answer that busy or starting ones need."""
        return self._clock() >= self._certain_at

    def wait(self, progress: Progress) -> Wait | None:
        """The reason for which the job waits, as of the last answer."""
        answer = self._latest()
        if answer is None:
            return None
        if answer.error:
            return Wait("Redis is full" if answer.is_full else "Redis cannot be reached")
        if not self._is_certain() and missing_workers(self._job, progress, answer.workers):
            return None
        found = wait_of(self._job, progress, answer.workers)
        if found is None or found.seconds is None:
            return found
        return Wait(found.reason, found.seconds + self._clock() - answer.at)


@contextmanager
def deployment_news(app: Celery, job: Job, *, seconds: float = ASK_SECONDS) -> Iterator[DeploymentNews]:
    """News from questions that a thread asks every so many seconds, at once for the first time.

    They take seconds to be answered, and longer if Redis is away: nobody who looks at the job waits for them.
    """
    answers: list[Answer] = []
    answered, ended = Event(), Event()

    def keep_asking() -> None:
        while not ended.is_set():
            try:
                answers[:] = [ask(app, job)]
            except Exception:
                # A command that ends does not wait for an answer, and takes away what the question needs.
                if ended.is_set():
                    return
                raise
            answered.set()
            ended.wait(seconds)

    Thread(target=keep_asking, daemon=True, name=THREAD).start()
    try:
        yield DeploymentNews(job, lambda: answers[0] if answers else None, await_first=answered.wait)
    finally:
        ended.set()


def ask(app: Celery, job: Job) -> Answer:
    """Ask Redis and the workers once."""
    try:
        found = tuple(workers(app, seconds=ANSWER_SECONDS))
    except BrokerError as error:
        return Answer(error=str(error), at=time.monotonic(), is_full=isinstance(error, FullBrokerError))
    troubles = tuple(worker_troubles(app, [gpu_queue(job.spec.bundle_digest, job.spec.build)]))
    return Answer(found, troubles=troubles, at=time.monotonic())
