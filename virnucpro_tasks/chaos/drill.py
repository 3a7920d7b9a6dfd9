"""Runs jobs on a private instance, first undisturbed, then under faults, and compares the results."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos.faults import FAULTS
from virnucpro_tasks.chaos.hosts import Hosts
from virnucpro_tasks.chaos.report import Drill, Outcome, compare
from virnucpro_tasks.chaos.scene import Scene
from virnucpro_tasks.errors import BrokerError, InputError, counted
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, wait_for
from virnucpro_tasks.settings import Settings

GAP_SECONDS = (0.5, 3.0)
"""Range of the time between two faults, which is uniformly distributed."""

POLL_SECONDS = 0.05
ENQUEUE_SECONDS = 60.0
PATIENT_ATTEMPTS = 1_000
"""Attempts at a shard: one that is hit again and again must not be quarantined, as its records would be missing."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pending:
    """A fault that is over when all of `shards` are embedded, or, if none was hit, more than `done` are done."""

    kind: str
    at: float
    shards: frozenset[int]
    done: int


class Injector:
    """Injects faults at random times, rarer kinds first, and records how long recovery takes."""

    def __init__(self, drill: Drill, faults: int, dice: random.Random) -> None:
        self._drill = drill
        self._faults = faults
        self._dice = dice
        self._pending: list[Pending] = []
        self._next_at = 0.0
        self._missed = False
        self._wait()

    def poll(self, scene: Scene, progress: Progress) -> None:
        """Record recovered faults and inject the next one if it is due; `progress` is that of the job."""
        scene.catch_up()
        over = [fault for fault in self._pending if _recovered(scene.job, progress, fault)]
        self._pending = [fault for fault in self._pending if fault not in over]
        for fault in over:
            self._drill.recovery_seconds.setdefault(fault.kind, []).append(time.monotonic() - fault.at)
        if progress.is_final or self._drill.faults.total() >= self._faults or time.monotonic() < self._next_at:
            return
        kind = self._choose()
        at = time.monotonic()
        hit = FAULTS[kind](scene)
        # If there was nothing to hit, another kind is tried at the next poll.
        self._missed = hit is None
        if hit is not None:
            self._drill.faults[kind] += 1
            self._pending.append(Pending(kind, at, frozenset(hit), _done(progress)))
            self._wait()

    def _choose(self) -> str:
        """Return a random one of the kinds that there were least often, or of all if the last one hit nothing."""
        counts = {kind: self._drill.faults[kind] for kind in sorted(FAULTS)}
        fewest = max(counts.values()) if self._missed else min(counts.values())
        return self._dice.choice([kind for kind, count in counts.items() if count <= fewest])

    def _wait(self) -> None:
        self._next_at = time.monotonic() + self._dice.uniform(*GAP_SECONDS)


def run_drill(
    settings: Settings, source: Path, *, faults: int, seed: int, workers: int, say: Say = lambda line: None
) -> Drill:
    """Inject `faults` faults, chosen by `seed`, into as many jobs on `source` as it takes.

    `settings.store` is a folder for the drill alone, and has the store in it; Redis and workers are private and end
    with it. Raises InputError if the job fails even undisturbed.
    """
    drill = Drill(seed, workers, settings.lease_seconds)
    dice = random.Random(seed)
    folder, store = settings.store, settings.store / "store"
    store.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with EmbeddedBroker(folder / "redis") as broker:
        settings = replace(settings, store=store, broker_url=broker.url, max_attempts=PATIENT_ATTEMPTS)
        with Hosts(settings, workers, folder / "workers.log") as hosts:
            quiet = folder / "quiet"
            job = _new_job(settings, source)
            _require_done(_run(settings, job, lambda progress: None), source)
            shutil.copytree(job.paths.results, quiet)
            say(f"undisturbed: {time.monotonic() - started:.0f} s")
            injector = Injector(drill, faults, dice)
            while drill.faults.total() < faults:
                job = _new_job(settings, source)
                scene = Scene(hosts, broker, job, settings.lease_seconds, workers + 1, dice, store)
                outcome = _disturbed(settings, scene, injector, quiet)
                drill.outcomes.append(outcome)
                said = "same" if outcome.same else f"DIFFERS: {outcome.message or ', '.join(outcome.differing)}"
                say(f"{counted(drill.faults.total(), 'fault')}, job {len(drill.outcomes)}: {said}")
                if outcome.same:
                    # A late worker may still write into it.
                    shutil.rmtree(job.paths.root, ignore_errors=True)
    drill.seconds = time.monotonic() - started
    return drill


def _require_done(progress: Progress, source: Path) -> None:
    """Raise InputError unless the undisturbed job has ended well."""
    if progress.state is not JobState.DONE:
        error = InputError(progress.message or f"the undisturbed job is {progress.state}", file=str(source))
        error.exit_code = progress.exit_code
        raise error


def _new_job(settings: Settings, source: Path) -> Job:
    return submit(
        settings, [source], chunk_length=None, min_length=None, strict=False, keep_embeddings=False, priority=6
    )


def _disturbed(settings: Settings, scene: Scene, injector: Injector, quiet: Path) -> Outcome:
    """Run one job under faults to its end, and compare its results with the undisturbed ones."""
    try:
        progress = _run(settings, scene.job, lambda progress: injector.poll(scene, progress))
    finally:
        scene.catch_up(all_of_it=True)
    if progress.state is not JobState.DONE:
        return Outcome(scene.job.job_id, 0, 0, (), f"{progress.state}: {progress.message}")
    return compare(scene.job.job_id, scene.job.paths.results, quiet)


def _run(settings: Settings, job: Job, each: Callable[[Progress], None]) -> Progress:
    """Queue a job and wait for its end as a client does; `each` is called with every snapshot of its progress."""
    app = make_app(settings)
    deadline = time.monotonic() + ENQUEUE_SECONDS
    while True:
        try:
            enqueue(app, job)
            break
        except BrokerError:
            if time.monotonic() > deadline:
                raise
    for progress in wait_for(app, job, lease_seconds=settings.lease_seconds, poll_seconds=POLL_SECONDS):
        each(progress)
    return progress


def _recovered(job: Job, progress: Progress, fault: Pending) -> bool:
    if progress.is_final:
        return True
    if fault.shards:
        return all(job.paths.embedding(shard).exists() for shard in fault.shards)
    return _done(progress) > fault.done


def _done(progress: Progress) -> int:
    return progress.shards_done + progress.shards_quarantined
