"""Looks at deployments that no test has to run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import structs

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.listing import JobIdentity
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait
from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.keys import COORDINATOR_QUEUES
from virnucpro_tasks.monitoring.look import Look, OpenJob, SeenWorker, StoreRoom
from virnucpro_tasks.queue.client import RunningTask, WorkerInfo
from virnucpro_tasks.queue.process_facts import ProcessFacts
from virnucpro_tasks.queue.redis_memory import RedisMemory
from virnucpro_tasks.queue.work_counts import WorkCounts
from virnucpro_tasks.queue.worker_troubles import Trouble
from virnucpro_tasks.system.gpu_reading import GpuReading

QUEUE = "gpu-0123456789ab"
NOW = 1_700_000_000.0


def open_job(name: str = "run_7", *, job_id: str = "20270101t000000z-aaaaaaaaaaaaaaaa", **changed: Any) -> OpenJob:
    """A job of 10 shards, 4 of them done, at which one worker is."""
    progress = Progress(job_id, JobState.EMBEDDING, "2027-01-01T00:00:00+00:00", 10, 4, 0, 1_000, 400, "", ExitCode.OK)
    identity = JobIdentity((name,), "alice", "model", "model", ("/data/reads.fasta",))
    task = RunningTask((job_id, 5), seconds=12.0, quiet_seconds=1.0)
    made = OpenJob(
        progress,
        identity,
        short_id=job_id[:18],
        queue=QUEUE,
        coordinator_queue="cpu",
        priority=6,
        age_seconds=60.0,
        idle_seconds=12.0,
        waiting=5,
        running=(("embed-gpu0@one", task),),
        rate=Rate(50.0, 12.0),
    )
    return replace(made, **changed)


def gpu_worker(name: str = "embed-gpu0@one", *, quiet_seconds: float = 1.0, **changed: Any) -> SeenWorker:
    """A worker that is at shard 5 of `open_job`."""
    task = RunningTask(("20270101t000000z-aaaaaaaaaaaaaaaa", 5), seconds=12.0, quiet_seconds=quiet_seconds)
    made = SeenWorker(
        name,
        WorkerInfo(name, (QUEUE,), (task,), 100.0),
        ProcessFacts("1.0", host="one", device="NVIDIA H200", driver="600", gpu=GpuReading(100, 400, 0.97, 612.5)),
        WorkCounts({"embedded": 4, "failed": 1}, 8.0, 400, 900, 1_000, 2, 3, 1),
    )
    return replace(made, **changed)


def coordinator(**changed: Any) -> SeenWorker:
    """An idle coordinator."""
    queues = tuple(queue.name for queue in COORDINATOR_QUEUES)
    made = SeenWorker("coordinate-0@one", WorkerInfo("coordinate-0@one", queues, ()), ProcessFacts("1.0", "one"))
    return replace(made, **changed)


def look(**changed: Any) -> Look:
    """A healthy deployment with one job."""
    made = Look(
        at=NOW,
        seconds=0.5,
        jobs=dict.fromkeys(JobState, 0) | {JobState.EMBEDDING: 1, JobState.DONE: 3},
        unreadable=0,
        open_jobs=(open_job(),),
        workers=(coordinator(), gpu_worker()),
        store=StoreRoom(500_000_000_000, 1_000_000_000_000, 9_000, 10_000),
        redis=RedisMemory(100_000_000, 1_000_000_000, has_maxmemory=True),
    )
    return replace(made, **changed)


def troubled() -> Look:
    """A deployment in which all is wrong that a look can show."""
    dead = SeenWorker(
        "embed-gpu1@one", trouble=Trouble("embed-gpu1@one", "killed by signal 9", "see dmesg", QUEUE, NOW - 5)
    )
    held_up = open_job(
        "held\x1b[2J<b>up</b>",
        progress=replace(open_job().progress, message="the store fails: no space\nmore", shards_quarantined=1),
        running=(),
        waiting=9,
        queue="gpu-ffffffffffff",
        wait=Wait("no worker serves this bundle"),
    )
    newer = structs.replace(gpu_worker().facts, version="2.0")
    return look(
        open_jobs=(held_up,),
        workers=(
            gpu_worker(quiet_seconds=160.0),
            dead,
            coordinator(info=None),
            gpu_worker("embed-gpu2@two", facts=newer),
        ),
        unreadable=2,
        store=StoreRoom(1_000_000_000, 1_000_000_000_000, 9_000, 10_000),
        redis=RedisMemory(900_000_000, 1_000_000_000, has_maxmemory=True),
        store_failures=1,
    )
