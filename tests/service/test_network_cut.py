"""A cut of a minute between Redis and one of two hosts: the other one goes on, and the first comes back."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from service.deployment import MANY_SHARDS, SAMPLE, Deployment, comparable, slow_shards, wait_until
from service.namespaces import Host, hosts, refusal, server_at
from service.network import Network

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.recovery.events import Began, read_events

pytestmark = [pytest.mark.service, pytest.mark.slow]

FLAGS = MANY_SHARDS
CUT_SECONDS = 60.0
LEASE_SECONDS = 10.0
"""The default one."""

LONG_SHARD_SECONDS, SHARD_SECONDS = 5 * LEASE_SECONDS, 4.0
"""How long a shard takes on the host that is cut off, until after its lease has expired, and on the other one."""


@contextmanager
def two_hosts(server: Path, folder: Path) -> Iterator[tuple[EmbeddedBroker, Host | Network, Host | Network]]:
    """A Redis and two hosts in network namespaces; where there are none, the first is behind a forwarder."""
    if refusal():
        with EmbeddedBroker(server=server) as broker, ExitStack() as stack:
            first, second = (stack.enter_context(Network(broker.socket, folder / name)) for name in ("first", "second"))
            yield broker, first, second
        return
    with hosts(2) as (redis, (first, second)), EmbeddedBroker(server=server_at(server, redis, folder)) as broker:
        yield broker, first, second


def shards_begun(job: Path) -> dict[int, list[int]]:
    """The process ids of those that began each shard, by its number."""
    files = (job / "attempts").glob("[0-9]*.jsonl")
    return {int(file.stem): [event.pid for event in read_events(file) if isinstance(event, Began)] for file in files}


def shards_begun_by(supervisor: subprocess.Popen[bytes], job: Path) -> set[int]:
    """The numbers of the shards that the workers of a host have begun."""
    ours = {process.pid for process in psutil.Process(supervisor.pid).children(recursive=True)}
    return {shard for shard, pids in shards_begun(job).items() if ours & set(pids)}


def processes_that_said(text: str, log: str) -> list[str]:
    """The names of the processes that have written a line which begins like this, one for each line."""
    return sorted(re.findall(rf"^\[[^]]*/([\w-]+)\] {text}", log, re.MULTILINE))


def test_a_host_that_is_cut_off_for_a_minute_is_replaced_and_comes_back(
    server: Path, quiet: dict[str, bytes], tmp_path: Path
) -> None:
    slow = tmp_path / "slow"
    slow.write_text(str(LONG_SHARD_SECONDS))
    settings = {"VIRNUCPRO_LEASE_SECONDS": str(LEASE_SECONDS)}
    # Given two hosts and a Redis that have nothing but the network and the store in common, both at a shard
    with (
        two_hosts(server, tmp_path) as (broker, first, second),
        Deployment(tmp_path, broker.url, settings=settings) as deployment,
    ):
        cut_off, other = (
            deployment.start_workers(
                "cpu", "--name", name, inside=host.prefix, VIRNUCPRO_BROKER_URL=host.url, **slow_shards(seconds)
            )
            for name, host, seconds in (("first", first, slow), ("second", second, SHARD_SECONDS))
        )
        job_id = deployment.run("submit", str(SAMPLE), *FLAGS, "--force-new").strip()
        job = deployment.store / "jobs" / job_id
        wait_until(lambda: shards_begun_by(cut_off, job) and shards_begun_by(other, job))
        (lost,) = shards_begun_by(cut_off, job)
        # When one is cut off for a minute
        first.cut()
        others_before = shards_begun_by(other, job)
        time.sleep(CUT_SECONDS)
        others_then = shards_begun_by(other, job)
        assert shards_begun_by(cut_off, job) == {lost}
        slow.write_text("0")
        first.mend()
        # Then the other one has gone on meanwhile, also with the shard of the first
        assert lost in others_then - others_before
        assert len(others_then - others_before) > CUT_SECONDS / SHARD_SECONDS / 2
        # And the first takes shards again
        wait_until(lambda: shards_begun_by(cut_off, job) > {lost})
        deployment.run("watch", job_id)
        deployment.run("results", job_id, "--output", str(tmp_path / "results"))
        log = deployment.log.read_text()
        # And each of its workers has said once that it was cut off, and once that it is back
        workers = ["coordinate-0", "embed-cpu0"]
        assert processes_that_said("Redis cannot be reached", log) == workers
        assert processes_that_said("Redis answers again, after \\d+ s", log) == workers
    # And nothing else was computed twice, and the results are those of one worker without a queue
    assert [shard for shard, pids in shards_begun(job).items() if len(pids) > 1] == [lost]
    assert len(shards_begun(job)[lost]) == 2
    assert comparable(tmp_path / "results") == quiet
