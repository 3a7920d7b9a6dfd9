"""Deployments in the states that the dashboard has to tell apart."""

from __future__ import annotations

from collections.abc import Callable

from monitoring_pictures import start_worker, submit, write_reads
from service.deployment import Deployment, slow_shards, wait_until

QUICK_SECONDS = 0.5
SLOW_SECONDS = 6.0
STUCK_SECONDS = 3_600.0
"""Time that a worker takes for a pack."""

SHARDS_BEFORE_LOSS = 30
"""Shards that both hosts have done when one of them is lost."""


def _quick_hosts(deployment: Deployment, *names: str) -> None:
    deployment.start_workers("none", "--name", "head")
    for name in names:
        start_worker(deployment, name, seconds=QUICK_SECONDS)


def _work(deployment: Deployment, name: str, owner: str, *, records: int) -> str:
    """Submit a job of so many reads, in shards of some seconds."""
    reads = write_reads(deployment.folder / f"{name}.fasta", records=records)
    return submit(deployment, name, owner, reads, "--shard-tokens", "2000")


def healthy(deployment: Deployment) -> None:
    """Two jobs of two owners, on three workers of the same speed."""
    _quick_hosts(deployment, "host1", "host2", "host3")
    _work(deployment, "soil", "alice", records=3_000)
    _work(deployment, "sewage", "bob", records=2_000)


def slow(deployment: Deployment) -> None:
    """One of three workers takes twelve times as long as the others."""
    _quick_hosts(deployment, "host1", "host2")
    start_worker(deployment, "host3", seconds=SLOW_SECONDS)
    _work(deployment, "soil", "alice", records=3_000)
    _work(deployment, "sewage", "bob", records=2_000)


def stuck(deployment: Deployment) -> None:
    """One worker stands still with the only shard of a job; another job gets on with two more workers."""
    deployment.start_workers("none", "--name", "head")
    start_worker(deployment, "host3", seconds=STUCK_SECONDS)
    few = write_reads(deployment.folder / "few.fasta", records=4)
    job = submit(deployment, "ticks", "carol", few)
    attempts = deployment.store / "jobs" / job / "attempts"
    wait_until(lambda: any(attempts.glob("000000.*")))
    for name in ("host1", "host2"):
        start_worker(deployment, name, seconds=QUICK_SECONDS)
    _work(deployment, "soil", "alice", records=3_000)


def failed(deployment: Deployment) -> None:
    """A job has failed, and one of two hosts with workers is lost at work."""
    _quick_hosts(deployment, "host1")
    lost = deployment.start_workers("cpu", "--coordinators", "0", "--name", "host2", **slow_shards(QUICK_SECONDS))
    job = _work(deployment, "soil", "alice", records=3_000)
    broken = deployment.folder / "broken.fasta"
    broken.write_text(">r\nACGT!!!\n")
    submit(deployment, "broken", "bob", broken, "--strict")
    embeddings = deployment.store / "jobs" / job / "embeddings"
    wait_until(lambda: len([*embeddings.glob("*.safetensors")]) >= SHARDS_BEFORE_LOSS)
    lost.kill()


SCENES: dict[str, Callable[[Deployment], None]] = {
    "healthy": healthy,
    "slow": slow,
    "stuck": stuck,
    "failed": failed,
}
