"""The kinds of fault of a drill. Each function injects one and returns the shards it hit, or None if it could not."""

from __future__ import annotations

import json
import random
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import redis

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos.hosts import Hosts, children, send
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import priority_lists

OUTAGE_SECONDS = 2.0
FULL_SECONDS = 2.0
FULL_BYTES = 1_000
"""In a "full" store files up to this size can still be written: records of attempts, but no embedding."""

FREEZE_LEASES = 1.5


@dataclass(slots=True)
class Scene:
    """The processes, Redis and job of a drill. `later` holds the actions that undo faults, each with its due time."""

    hosts: Hosts
    broker: EmbeddedBroker
    job: Job
    lease_seconds: float
    most_hosts: int
    dice: random.Random
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Schedule `action` in so many seconds."""
        self.later.append((time.monotonic() + seconds, action))

    def catch_up(self, *, all_of_it: bool = False) -> None:
        """Call the scheduled actions that are due, or all."""
        now = time.monotonic()
        due = [entry for entry in self.later if all_of_it or entry[0] <= now]
        self.later = [entry for entry in self.later if entry not in due]
        for _, action in due:
            action()


Hit = set[int] | None
"""Numbers of the shards that must be computed again; empty if any progress shows recovery; None: nothing to hit."""


def kill_child(scene: Scene) -> Hit:
    """Kill a process that computes (SIGKILL)."""
    return _strike(scene, scene.hosts.computing(), lambda pid: send(pid, signal.SIGKILL), lambda pid: {pid})


def kill_worker(scene: Scene) -> Hit:
    """Kill a worker process (SIGKILL); its supervisor starts it again."""
    return _strike(scene, scene.hosts.workers(), lambda pid: send(pid, signal.SIGKILL), lambda pid: set(children(pid)))


def lose_host(scene: Scene) -> Hit:
    """Kill a host with all its processes; another one joins."""

    def lose(pid: int) -> bool:
        scene.hosts.lose(pid)
        scene.hosts.join()
        return True

    return _strike(scene, scene.hosts.supervisors(), lose, _below)


def kill_coordinator(scene: Scene) -> Hit:
    """Kill a coordinator (SIGKILL)."""
    return _strike(scene, scene.hosts.coordinators(), lambda pid: send(pid, signal.SIGKILL), lambda pid: set())


def freeze_worker(scene: Scene) -> Hit:
    """Stop a worker and its child (SIGSTOP) for longer than a lease, so that they resume work that was reassigned."""

    def freeze(pid: int) -> bool:
        frozen = [pid, *children(pid)]
        for process in frozen:
            send(process, signal.SIGSTOP)
            scene.after(FREEZE_LEASES * scene.lease_seconds, lambda process=process: send(process, signal.SIGCONT))  # type: ignore[misc]
        return True

    return _strike(scene, scene.hosts.workers(), freeze, lambda pid: set(children(pid)))


def restart_redis(scene: Scene) -> Hit:
    """Kill Redis (SIGKILL) and start it again at once with its append-only file."""
    scene.broker.restart()
    return set()


def redis_outage(scene: Scene) -> Hit:
    """Kill Redis (SIGKILL) and start it again after OUTAGE_SECONDS with its append-only file."""
    if not send(scene.broker.pid, signal.SIGKILL):
        return None
    scene.after(OUTAGE_SECONDS, scene.broker.restart)
    return set()


def cut_connections(scene: Scene) -> Hit:
    """Close all connections to a running Redis, as when a proxy or firewall in between restarts."""
    try:
        client = _client(scene)
        for kind in ("pubsub", "normal"):
            client.client_kill_filter(_type=kind, skipme=True)
    except redis.RedisError:
        return None
    return set()


def empty_redis(scene: Scene) -> Hit:
    """Delete everything in Redis: queues, leases, counters of the chord."""
    try:
        _client(scene).flushall()
    except redis.RedisError:
        return None
    return set()


def deliver_twice(scene: Scene) -> Hit:
    """Queue a waiting message of the job a second time."""
    job = scene.job
    queue = job.queue
    try:
        client = _client(scene)
        for name in priority_lists(queue):
            if found := client.lrange(name, 0, -1):
                message = json.loads(scene.dice.choice(found))
                message["properties"]["delivery_tag"] = str(uuid4())
                client.rpush(name, json.dumps(message))
                return set()
    except redis.RedisError:
        return None
    return None


def flip_bit(scene: Scene) -> Hit:
    """Flip a bit of a finished embedding."""

    def flip(content: bytearray) -> bytearray:
        content[scene.dice.randrange(len(content))] ^= 1 << scene.dice.randrange(8)
        return content

    return _damage(scene, flip)


def truncate(scene: Scene) -> Hit:
    """Truncate a finished embedding."""
    return _damage(scene, lambda content: content[: scene.dice.randrange(len(content))])


def fill_store(scene: Scene) -> Hit:
    """Let no embedding be written for a while: limits the file size (RLIMIT_FSIZE) of all that compute."""
    limited = scene.hosts.computing()
    for pid in limited:
        _limit_files(pid, FULL_BYTES)
        scene.after(FULL_SECONDS, lambda pid=pid: _limit_files(pid, resource.RLIM_INFINITY))  # type: ignore[misc]
    return set() if limited else None


def late_joiner(scene: Scene) -> Hit:
    """Let a host join in the middle of a job."""
    if scene.hosts.working >= scene.most_hosts:
        return None
    scene.hosts.join()
    return set()


def early_leaver(scene: Scene) -> Hit:
    """Stop a host (SIGTERM) in the middle of a job."""
    if scene.hosts.working < 2:
        return None

    def leave(pid: int) -> bool:
        scene.hosts.leave(pid)
        return True

    return _strike(scene, scene.hosts.supervisors(), leave, _below)


FAULTS: dict[str, Callable[[Scene], Hit]] = {
    function.__name__: function
    for function in (
        *(kill_child, kill_worker, lose_host, kill_coordinator, freeze_worker, restart_redis, redis_outage),
        *(cut_connections, empty_redis, deliver_twice, flip_bit, truncate, fill_store, late_joiner, early_leaver),
    )
}


def _strike(scene: Scene, pids: list[int], harm: Callable[[int], bool], computing: Callable[[int], set[int]]) -> Hit:
    """Apply `harm` to a random one of `pids`; returns the shards that the processes `computing(pid)` were computing."""
    if not pids:
        return None
    victim = scene.dice.choice(sorted(pids))
    hit = _at_work(scene.job, computing(victim))
    return hit if harm(victim) else None


def _below(supervisor: int) -> set[int]:
    return {child for worker in children(supervisor) for child in children(worker)}


def _at_work(job: Job, pids: set[int]) -> set[int]:
    """Return the shards that these processes have begun and not finished, from the attempts files."""
    hit = set()
    for file in (job.paths.root / "attempts").glob("[0-9]*.jsonl"):
        shard = int(file.stem)
        if job.paths.embedding(shard).exists():
            continue
        with suppress(OSError, ValueError, IndexError, KeyError):
            if json.loads(file.read_text().splitlines()[-1])["pid"] in pids:
                hit.add(shard)
    return hit


def _damage(scene: Scene, change: Callable[[bytearray], bytearray]) -> Hit:
    # Not once finishing has begun: checksums are checked at its start.
    job = scene.job
    files = sorted(
        file for kind in (job.paths.embeddings, job.paths.kept_scores) for file in kind.glob("[0-9]*.safetensors")
    )
    if not files or job.paths.results.exists():
        return None
    victim = scene.dice.choice(files)
    try:
        damaged = change(bytearray(victim.read_bytes()))
    except FileNotFoundError:
        return None
    _overwrite(victim, bytes(damaged))
    return set()


def _overwrite(file: Path, content: bytes) -> None:
    with file.open("r+b") as handle:
        handle.truncate(0)
        handle.write(content)


def _limit_files(pid: int, limit: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))


def _client(scene: Scene) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(scene.broker.socket), socket_timeout=5)
