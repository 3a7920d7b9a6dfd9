"""Leases on a real broker, with real workers: a long task runs once, a dead worker's task starts again soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from celery.worker import state
from kombu.transport.redis import Mutex

from virnucpro_tasks.app import RESTORE_INTERVAL_SECONDS, make_app
from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.lease import held_tags, keep_leases, renew
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service

LEASE_SECONDS = 2.0
SWEEP_SECONDS = 0.5
PROBE = """
import os, time
from celery import Celery
from virnucpro_tasks.lease import LeaseKeeper
app = Celery("lease_probe", broker=os.environ["PROBE_URL"], backend=os.environ["PROBE_URL"])
app.conf.update(
    task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1,
    task_default_queue=os.environ["PROBE_QUEUE"],
    broker_transport_options={
        "visibility_timeout": 2.0, "unacked_restore_interval": 0.5, "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 1,
    },
)
if os.environ["PROBE_KEEPER"] == "yes":
    app.steps["consumer"].add(LeaseKeeper)
@app.task(name="probe.work")
def work(seconds):
    with open(os.environ["PROBE_LOG"], "a") as log:
        log.write(f"{time.time()} {os.getppid()}\\n")
    time.sleep(seconds)
"""

StartWorker = Callable[..., subprocess.Popen]


class Probe:
    """A queue of its own on the shared broker, its workers, and what they have started."""

    def __init__(self, folder: Path, broker: EmbeddedBroker) -> None:
        (folder / "lease_probe.py").write_text(PROBE)
        self.folder = folder
        self.queue = folder.name
        self.log = folder / "starts.log"
        self.url = broker.url
        self.workers: list[subprocess.Popen] = []
        self.app = Celery("client", broker=broker.url, backend=broker.url, set_as_current=False)

    def worker(self, name: str, *, keeper: bool = True) -> subprocess.Popen:
        environment = os.environ | {
            "PROBE_URL": self.url,
            "PROBE_QUEUE": self.queue,
            "PROBE_LOG": str(self.log),
            "PROBE_KEEPER": "yes" if keeper else "no",
            "PYTHONPATH": os.pathsep.join([str(self.folder), *sys.path]),
        }
        arguments = f"-A lease_probe worker -P prefork -c 1 -n {name}@{self.queue} --without-gossip --without-mingle"
        with (self.folder / f"{name}.out").open("wb") as output:
            started = subprocess.Popen(
                [sys.executable, "-m", "celery", *arguments.split()],
                env=environment,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.workers.append(started)
        return started

    def submit(self, seconds: float) -> None:
        self.app.send_task("probe.work", (seconds,), queue=self.queue)

    def starts(self) -> list[tuple[float, int]]:
        if not self.log.exists():
            return []
        return [(float(when), int(pid)) for when, pid in map(str.split, self.log.read_text().splitlines())]

    def wait_for_starts(self, count: int, *, within_seconds: float) -> list[tuple[float, int]]:
        deadline = time.monotonic() + within_seconds
        while len(self.starts()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.starts()

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()


@pytest.fixture
def probe(tmp_path: Path, broker: EmbeddedBroker) -> Iterator[Probe]:
    opened = Probe(tmp_path, broker)
    yield opened
    opened.close()


def test_a_task_of_three_leases_runs_once(probe: Probe, broker: EmbeddedBroker) -> None:
    probe.worker("a")
    probe.worker("b")
    probe.submit(3 * LEASE_SECONDS)
    assert len(probe.wait_for_starts(1, within_seconds=15)) == 1
    time.sleep(3 * LEASE_SECONDS + 1)
    assert len(probe.starts()) == 1
    client = redis.Redis(unix_socket_path=str(broker.socket))
    assert client.zcard("unacked_index") == 0


def test_without_the_keeper_it_would_run_twice(probe: Probe) -> None:
    probe.worker("a", keeper=False)
    probe.worker("b", keeper=False)
    probe.submit(3 * LEASE_SECONDS)
    assert len(probe.wait_for_starts(2, within_seconds=15)) >= 2


def test_the_task_of_a_killed_worker_starts_again_within_lease_and_sweep(probe: Probe) -> None:
    workers = [probe.worker("a"), probe.worker("b")]
    probe.submit(3 * LEASE_SECONDS)
    ((_, pid),) = probe.wait_for_starts(1, within_seconds=15)
    time.sleep(1.5 * LEASE_SECONDS)
    victim = next(worker for worker in workers if worker.pid == pid)
    killed_at = time.time()
    os.killpg(victim.pid, signal.SIGKILL)
    starts = probe.wait_for_starts(2, within_seconds=15)
    assert len(starts) == 2
    assert starts[1][1] != pid
    slack_seconds = 1.5
    assert starts[1][0] - killed_at < LEASE_SECONDS + SWEEP_SECONDS + slack_seconds


def test_renewing_never_brings_back_an_acknowledged_message(broker: EmbeddedBroker) -> None:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    client.zadd("lease-test", {"held": 1.0})
    renew(client, "lease-test", {"held", "acknowledged"})
    assert client.zscore("lease-test", "held") == pytest.approx(time.time(), abs=5)
    assert client.zscore("lease-test", "acknowledged") is None


def consumer_of(app: Celery | None, tags: list[str]) -> SimpleNamespace:
    qos = SimpleNamespace(_delivered=dict.fromkeys(tags))
    return SimpleNamespace(app=app, task_consumer=SimpleNamespace(channel=SimpleNamespace(qos=qos)))


class RunningRequest:
    """What the keeper reads of a Celery request; sets of Celery's state hold weak references."""

    message = SimpleNamespace(delivery_tag="running")


def test_tasks_still_running_after_a_reconnect_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "active_requests", {RunningRequest()})
    assert held_tags(consumer_of(None, ["delivered"])) == {"delivered", "running"}
    assert held_tags(SimpleNamespace(task_consumer=None)) == {"running"}


def test_keeper_survives_an_outage(tmp_path: Path) -> None:
    stopping = threading.Event()
    data = tmp_path / "data"
    with EmbeddedBroker(data) as broker:
        app = Celery("outage", broker=broker.url, set_as_current=False)
        client = redis.Redis(unix_socket_path=str(broker.socket))
        client.zadd("unacked_index", {"held": 1.0})
        keeper = threading.Thread(
            target=keep_leases, args=(consumer_of(app, ["held"]), stopping), kwargs={"every_seconds": 0.05}
        )
        keeper.start()

        def renewed() -> bool:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    if client.zscore("unacked_index", "held") > 1.0:
                        return True
                except redis.exceptions.RedisError:
                    pass
                time.sleep(0.02)
            return False

        try:
            assert renewed()
            os.kill(broker.pid, signal.SIGKILL)
            time.sleep(0.5)
            broker.restart()
            client.zadd("unacked_index", {"held": 1.0})
            assert renewed()
        finally:
            stopping.set()
            keeper.join(timeout=10)
        assert not keeper.is_alive()


def test_a_consumer_that_died_while_it_looked_does_not_keep_the_others_from_looking(
    broker: EmbeddedBroker, settings: Settings
) -> None:
    app = make_app(replace(settings, broker_url=broker.url, lease_seconds=1))
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        with Mutex(channel.client, channel.unacked_mutex_key, channel.unacked_mutex_expire):
            remaining = channel.client.pttl(channel.unacked_mutex_key)
        assert 0 < remaining <= RESTORE_INTERVAL_SECONDS * 1000
