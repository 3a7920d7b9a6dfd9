"""Things that go wrong in a deployment, brought about for real, each with the alerts that it is to fire."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from alert_scene import OURS, ROOT, Scene, is_done, wait_for
from rolling_upgrade import install

from virnucpro_tasks.recovery.events import Began, read_events

INPUT = ROOT / "tests" / "short.fasta"
STORE_BYTES = 11_000_000_000
"""The alert on the room of the store is at 10 GB; a tmpfs takes memory for what is in it alone."""

WORKER, COORDINATOR = "worker", "coordinator"


@dataclass(frozen=True)
class Cause:
    """Something that goes wrong, and the alerts that it is to fire; `mended` after the block."""

    words: str
    alerts: frozenset[str]
    happens: Callable[[Scene], AbstractContextManager[None]]


CAUSES: dict[str, Cause] = {}


def cause(words: str, *alerts: str) -> Callable[[Callable[[Scene], Iterator[None]]], Callable[[Scene], Iterator[None]]]:
    """Lists a function that makes something go wrong, yields, and mends it."""

    def listed(happens: Callable[[Scene], Iterator[None]]) -> Callable[[Scene], Iterator[None]]:
        expected = frozenset(f"Virnucpro{name}" for name in alerts)
        CAUSES[happens.__name__] = Cause(words, expected, contextmanager(happens))
        return happens

    return listed


def reads_of(scene: Scene, *, records: int, bases: int) -> Path:
    """Random reads, each with an open frame over all its length."""
    chosen = random.Random(records * bases)
    codons = ("GCT", "GGT", "CTG", "ACC", "GTT", "AAA", "GAC")
    file = scene.folder / f"{records}-{bases}.fasta"
    reads = ("".join(chosen.choices(codons, k=bases // 3)) for _ in range(records))
    file.write_text("".join(f">r{number}\n{read}\n" for number, read in enumerate(reads)))
    return file


def long_job(scene: Scene, *, records: int = 12) -> Path:
    """A job whose shards take seconds, at the second one of which a worker is."""
    job = scene.submit(reads_of(scene, records=records, bases=6_000), "--shard-tokens", "3000")
    wait_for(lambda: list((job / "embeddings").glob("[0-9]*.safetensors")))
    return job


def done(job: Path) -> int:
    return len(list((job / "embeddings").glob("[0-9]*.safetensors")))


def finish(job: Path) -> None:
    wait_for(lambda: is_done(job))


def is_begun(attempts: Path) -> bool:
    """Whether a shard is being computed now."""
    with suppress(FileNotFoundError):
        return isinstance([None, *read_events(attempts)][-1], Began)
    return False


def kill_computing(scene: Scene) -> None:
    (child,) = scene.computing(WORKER)
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: scene.computing(WORKER) not in ([], [child]))


@cause("the exporter has ended", "ExporterSilent")
def exporter_ends(scene: Scene) -> Iterator[None]:
    scene.stop("exporter")
    yield
    scene.start_exporter()


@cause("the exporter is stopped (SIGSTOP)", "ExporterSilent")
def exporter_hangs(scene: Scene) -> Iterator[None]:
    scene.processes["exporter"].send_signal(signal.SIGSTOP)
    yield
    scene.processes["exporter"].send_signal(signal.SIGCONT)


@cause("Redis is killed", "RedisDown")
def redis_ends(scene: Scene) -> Iterator[None]:
    os.kill(scene.broker.pid, signal.SIGKILL)
    yield
    scene.broker.restart()


@cause("Redis is filled to nine tenths of maxmemory", "RedisFull")
def redis_fills(scene: Scene) -> Iterator[None]:
    client = redis.Redis(unix_socket_path=str(scene.broker.socket))
    limit = int(client.info("memory")["used_memory"]) + 50_000_000
    client.config_set("maxmemory", limit)
    while int(client.info("memory")["used_memory"]) < 0.9 * limit:
        client.rpush("filler", bytes(1_000_000))
    yield
    client.delete("filler")
    client.config_set("maxmemory", 0)


@cause("Redis has no room left (maxmemory), in the middle of a job", "RedisFull")
def redis_is_full(scene: Scene) -> Iterator[None]:
    client = redis.Redis(unix_socket_path=str(scene.broker.socket))
    job = long_job(scene)
    client.config_set("maxmemory", 1)
    yield
    client.config_set("maxmemory", 0)
    finish(job)


@cause("the store is not mounted", "StoreDown")
def store_is_away(scene: Scene) -> Iterator[None]:
    subprocess.run(["umount", "--lazy", str(scene.store)], check=True)
    yield
    subprocess.run(["mount", "--bind", str(scene.folder / "disk"), str(scene.store)], check=True)


@cause("2 GB of an 11 GB disk are filled", "StoreFull")
def store_fills(scene: Scene) -> Iterator[None]:
    with (scene.store / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, 2_000_000_000)
    yield
    (scene.store / "filler").unlink()


def remount(scene: Scene, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(scene.folder / "disk")], check=True)


@cause("the disk has no room left, in the middle of a job", "StoreFull", "StoreFails")
def store_is_full(scene: Scene) -> Iterator[None]:
    job = long_job(scene)
    room = os.statvfs(scene.store)
    remount(scene, f"size={(room.f_blocks - room.f_bfree) * room.f_frsize + 1_000_000}")
    with suppress(OSError), (scene.store / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4_096))
    yield
    remount(scene, f"size={STORE_BYTES}")
    (scene.store / "filler").unlink()
    finish(job)


@cause("the store has become read-only, in the middle of a job", "StoreFails")
def store_is_read_only(scene: Scene) -> Iterator[None]:
    job = long_job(scene)
    remount(scene, "ro")
    yield
    remount(scene, "rw")
    finish(job)


@cause("no coordinator runs", "QueueUnserved")
def no_coordinator(scene: Scene) -> Iterator[None]:
    scene.stop(COORDINATOR)
    yield
    start_coordinator(scene)


@cause("no worker takes the queue of a job", "QueueUnserved", "NobodyWorks")
def no_worker(scene: Scene) -> Iterator[None]:
    scene.stop(WORKER)
    job = scene.submit(INPUT)
    yield
    start_worker(scene)
    finish(job)


@cause("the only worker is at a long shard of another job", "NobodyWorks")
def job_waits(scene: Scene) -> Iterator[None]:
    first = long_job(scene, records=3)
    finish(first)
    (worked,) = report(first)["times"]["workers"]
    # A shard of twice the time after which the alert fires; there are about as many tokens as bases
    records = int(2 * 660 / scene.factor * worked["tokens"] / worked["seconds"]) // 15_000 + 1
    reads = reads_of(scene, records=records, bases=15_000)
    busy = scene.submit(reads, "--shard-tokens", str(30_000 * records))
    wait_for(lambda: is_begun(busy / "attempts" / "000000.jsonl"))
    waiting = scene.submit(INPUT)
    yield
    finish(waiting)
    finish(busy)


@cause("a computing process is stopped (SIGSTOP)", "StandsStill")
def child_hangs(scene: Scene) -> Iterator[None]:
    job = long_job(scene)
    (child,) = scene.computing(WORKER)
    os.kill(child, signal.SIGSTOP)
    yield
    os.kill(child, signal.SIGCONT)
    finish(job)


@cause("a job fails: --strict, and a bad record", "JobFailed")
def job_fails(scene: Scene) -> Iterator[None]:
    reads = reads_of(scene, records=2, bases=300)
    with reads.open("a") as file:
        file.write(">bad\nACGT!\n")
    job = scene.submit(reads, "--strict")
    wait_for(lambda: (job / "failed.json").exists())
    yield


@cause("a worker is killed at three shards", "WorkerFlaps")
def worker_flaps(scene: Scene) -> Iterator[None]:
    job = long_job(scene)
    for _ in range(3):
        before = done(job)
        kill_computing(scene)
        wait_for(lambda before=before: done(job) > before)
    yield
    finish(job)


@cause("a record kills its worker, and is quarantined", "Quarantine")
def record_kills(scene: Scene) -> Iterator[None]:
    # The first shard is a part of the first record alone, so that no other record is suspected.
    reads, jobs = reads_of(scene, records=2, bases=15_000), scene.store / "jobs"
    before = set(jobs.iterdir())
    command = (*OURS, "submit", str(reads), "--allow-mismatch", "--force-new", "--shard-tokens", "4000")
    scene.start("submit", *command, environment=scene.environment | {"VIRNUCPRO_MAX_ATTEMPTS": "1"})
    (job,) = wait_for(lambda: set(jobs.iterdir()) - before)
    wait_for(lambda: is_begun(job / "attempts" / "000000.jsonl"))
    kill_computing(scene)
    scene.stop("submit")
    finish(job)
    assert (job / "quarantine" / "000000.json").exists()
    yield


@cause("workers of two versions", "MixedVersions")
def two_versions(scene: Scene) -> Iterator[None]:
    other = install("other", "HEAD:1.0.1", scene.folder)
    scene.start_workers("other", "--devices", "cpu", "--coordinators", "0", command=other.command())
    yield
    scene.stop("other")


def start_worker(scene: Scene) -> None:
    scene.start_workers(WORKER, "--devices", "cpu", "--coordinators", "0")


def start_coordinator(scene: Scene) -> None:
    scene.start_workers(COORDINATOR, "--devices", "none")


@contextmanager
def small_store(folder: Path) -> Iterator[None]:
    """A file system of its own at `folder`/store; it can go and come again with what is in it."""
    disk, store = folder / "disk", folder / "store"
    for each in (disk, store):
        each.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STORE_BYTES}", "tmpfs", str(disk)], check=True)
    subprocess.run(["mount", "--bind", str(disk), str(store)], check=True)
    try:
        yield
    finally:
        for each in (store, disk):
            subprocess.run(["umount", "--lazy", str(each)], check=False)


def report(job: Path) -> dict[str, Any]:
    """What a finished job tells of itself."""
    return dict(json.loads((job / "run.json").read_text()))
