"""Leases on a real broker, with real workers: a long task runs once, a dead worker's task starts again soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from celery.bootsteps import CLOSE, RUN
from celery.worker import state
from service.deployment import PATIENCE_SECONDS, wait_until
from virnucpro_workers.consumer.lease import RENEWALS_PER_LEASE, LeaseKeeper, keep_leases, lapsed, renew

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import LAST_SWEEP, LEASES, UNACKED
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service

LEASE_SECONDS = 2.0
LOOK_SECONDS = 0.25
PROBE = """
import os, time
from virnucpro_workers.consumer import lease
from virnucpro_workers.consumer.install import install
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings
app = make_app(Settings(broker_url=os.environ["PROBE_URL"], lease_seconds=2.0))
install(app)
app.conf.update(include=[])
if os.environ["PROBE_KEEPER"] == "no":
    lease.renew = lambda client, index_key, tags: set()
if os.environ["PROBE_ACKS"] == "first fails":
    from kombu.transport.redis import QoS
    from redis.exceptions import ConnectionError
    acknowledge = QoS.ack
    def ack(qos, tag):
        QoS.ack = acknowledge
        raise ConnectionError("away for a moment")
    QoS.ack = ack
def started():
    with open(os.environ["PROBE_LOG"], "a") as log:
        log.write(f"{time.time()} {os.getppid()}\\n")

@app.task(name="probe.work")
def work(seconds):
    started()
    time.sleep(seconds)

@app.task(name="probe.wait")
def wait(file):
    started()
    while not os.path.exists(file):
        time.sleep(0.05)
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

    def worker(self, name: str, *, keeper: bool = True, acks: str = "all") -> subprocess.Popen:
        environment = os.environ | {
            "PROBE_URL": self.url,
            "PROBE_LOG": str(self.log),
            "PROBE_KEEPER": "yes" if keeper else "no",
            "PROBE_ACKS": acks,
            "PYTHONPATH": os.pathsep.join([str(self.folder), *sys.path]),
        }
        arguments = f"-A lease_probe worker -P prefork -c 1 -n {name}@{self.queue} -Q {self.queue} -l info"
        with (self.folder / f"{name}.out").open("wb") as output:
            started = subprocess.Popen(
                [sys.executable, "-m", "celery", *arguments.split(), "--without-gossip", "--without-mingle"],
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

    def submit_one_that_waits_for(self, file: Path) -> None:
        self.app.send_task("probe.wait", (str(file),), queue=self.queue)

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.out").read_text(errors="replace")

    def starts(self) -> list[tuple[float, int]]:
        if not self.log.exists():
            return []
        return [(float(when), int(pid)) for when, pid in map(str.split, self.log.read_text().splitlines())]

    def wait_for_starts(self, count: int) -> list[tuple[float, int]]:
        return wait_until(lambda: starts if len(starts := self.starts()) >= count else [])

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


def test_a_task_of_six_leases_runs_once(probe: Probe, broker: EmbeddedBroker) -> None:
    probe.worker("a")
    probe.worker("b")
    probe.submit(6 * LEASE_SECONDS)
    probe.wait_for_starts(1)
    client = redis.Redis(unix_socket_path=str(broker.socket))
    wait_until(lambda: client.zcard("unacked_index") == 0)
    assert len(probe.starts()) == 1


def test_without_renewal_it_would_run_twice(probe: Probe) -> None:
    probe.worker("a", keeper=False)
    probe.worker("b", keeper=False)
    probe.submit(PATIENCE_SECONDS)
    probe.wait_for_starts(2)


def test_the_task_of_a_killed_worker_starts_again_when_its_lease_has_lapsed(
    probe: Probe, broker: EmbeddedBroker
) -> None:
    workers = [probe.worker("a"), probe.worker("b")]
    probe.submit(PATIENCE_SECONDS)
    ((_, pid),) = probe.wait_for_starts(1)
    client = redis.Redis(unix_socket_path=str(broker.socket))
    began = client.zrange(LEASES, 0, -1, withscores=True)
    wait_until(lambda: client.zrange(LEASES, 0, -1, withscores=True) > began)
    victim = next(worker for worker in workers if worker.pid == pid)
    killed_at = time.time()
    os.killpg(victim.pid, signal.SIGKILL)
    starts = probe.wait_for_starts(2)
    assert len(starts) == 2
    assert starts[1][1] != pid
    # Not sooner; how much later is a figure of benchmarks/recovery.py.
    assert starts[1][0] - killed_at > LEASE_SECONDS / RENEWALS_PER_LEASE


def test_a_task_is_held_though_its_worker_waits_before_it_connects_again(probe: Probe, broker: EmbeddedBroker) -> None:
    # Given a worker at work, and Redis away for so long that the worker will try again only after two leases
    probe.worker("a")
    probe.submit(PATIENCE_SECONDS)
    probe.wait_for_starts(1)
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: "Trying again in 4.00 seconds" in probe.said("a"))
    broker.restart()
    # When others, which are back sooner, look for lapsed leases until it has connected again
    client, found = redis.Redis(unix_socket_path=str(broker.socket)), []

    def looked_until_connected() -> bool:
        found.extend(lapsed(client, "unacked_index", lease_seconds=LEASE_SECONDS))
        return probe.said("a").count("Connected to redis") == 2

    wait_until(looked_until_connected)
    # Then its own has not lapsed
    assert found == []
    assert client.zcard("unacked_index") == 1


def test_a_worker_goes_on_though_redis_was_away_when_it_acknowledged(probe: Probe, broker: EmbeddedBroker) -> None:
    probe.worker("a", acks="first fails")
    probe.submit(0)
    probe.submit(0)
    # The first one twice: nobody was told that it is done.
    probe.wait_for_starts(3)
    assert "Couldn't ack" in probe.said("a")
    client = redis.Redis(unix_socket_path=str(broker.socket))
    wait_until(lambda: client.zcard("unacked_index") == 0)


def test_a_task_that_outlives_its_connection_is_acknowledged(probe: Probe, broker: EmbeddedBroker) -> None:
    # Given a worker at a task, whose connections are cut while Redis is there, as a proxy may do
    workers = [probe.worker("a"), probe.worker("b")]
    end = probe.folder / "end"
    probe.submit_one_that_waits_for(end)
    probe.wait_for_starts(1)
    wait_until(lambda: all("ready." in probe.said(name) for name in "ab"))
    client = redis.Redis(unix_socket_path=str(broker.socket))
    for kind in ("pubsub", "normal"):
        client.client_kill_filter(_type=kind, skipme=True)
    # Twice, if it was back before the second kind was cut
    wait_until(lambda: all(probe.said(name).count("Connected to redis") >= 2 for name in "ab"))
    # When the task ends on the new one
    end.touch()
    # Then it was run once, and nothing is left of it
    wait_until(lambda: client.zcard("unacked_index") == 0)
    assert len(probe.starts()) == 1
    # And the worker goes on
    probe.submit(0)
    probe.submit(0)
    probe.wait_for_starts(3)
    assert [worker.poll() for worker in workers] == [None, None]


def test_what_is_held_is_given_back_by_who_stops_not_with_a_lost_connection(broker: EmbeddedBroker) -> None:
    app = make_app(Settings(broker_url=broker.url))
    client = redis.Redis(unix_socket_path=str(broker.socket))
    for blueprint_state, waiting in ((RUN, 0), (CLOSE, 1)):
        client.flushall()
        with app.connection_for_write() as connection, connection.SimpleQueue("held") as queue:
            queue.put("a message")
            queue.get(block=True, timeout=PATIENCE_SECONDS)
            parent = SimpleNamespace(
                app=app, task_consumer=queue.consumer, blueprint=SimpleNamespace(state=blueprint_state)
            )
            keeper = LeaseKeeper(parent)
            keeper.start(parent)
            keeper.stop(parent)
            queue.channel.close()
        assert (client.llen("held"), client.hlen(UNACKED)) == (waiting, 1 - waiting)
        keeper.terminate(parent)


class Leases:
    """Taken messages and their leases on a server, without workers."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def take(self, tag: str) -> None:
        # As kombu does, with the clock of a host that is a day behind.
        self.client.zadd("unacked_index", {tag: time.time() - 86_400})

    def age(self, tag: str, seconds: float) -> None:
        self.client.zincrby(LEASES, -seconds, tag)

    def look(self) -> list[str]:
        """A look that nobody has forestalled, and the last one was not long ago."""
        self.client.set(LAST_SWEEP, str(float(self.client.get(LAST_SWEEP) or 0) - LOOK_SECONDS))
        return lapsed(self.client, "unacked_index", lease_seconds=LEASE_SECONDS)


@pytest.fixture
def leases(broker: EmbeddedBroker) -> Iterator[Leases]:
    client = redis.Redis(unix_socket_path=str(broker.socket), db=9)
    client.flushdb()
    yield Leases(client)
    client.flushdb()


def test_renewing_never_brings_back_an_acknowledged_message(leases: Leases) -> None:
    leases.take("held")
    assert renew(leases.client, "unacked_index", {"held", "acknowledged"}) == {"acknowledged"}
    assert leases.client.zrange(LEASES, 0, -1) == [b"held"]
    assert renew(leases.client, "unacked_index", set()) == set()


def test_a_message_is_given_a_lease_when_it_is_first_seen_and_named_once_when_it_lapses(leases: Leases) -> None:
    leases.take("silent")
    leases.take("alive")
    assert leases.look() == []
    leases.age("silent", LEASE_SECONDS - 0.5)
    assert leases.look() == []
    leases.age("silent", 1)
    renew(leases.client, "unacked_index", {"alive"})
    assert leases.look() == ["silent"]
    assert leases.look() == []


def test_should_the_one_who_looked_die_with_it_the_message_lapses_again(leases: Leases) -> None:
    leases.take("silent")
    for _ in range(2):
        assert leases.look() == []
        leases.age("silent", LEASE_SECONDS + 1)
        assert leases.look() == ["silent"]


def test_no_lease_runs_while_nobody_looks(leases: Leases) -> None:
    leases.take("held")
    assert leases.look() == []
    # Redis, or every worker, was away for ten leases
    leases.age("held", 10 * LEASE_SECONDS)
    leases.client.set(LAST_SWEEP, str(float(leases.client.get(LAST_SWEEP)) - 10 * LEASE_SECONDS))
    assert leases.look() == []
    leases.age("held", LEASE_SECONDS + 1)
    assert leases.look() == ["held"]


def test_one_look_at_a_time_is_enough_and_what_is_over_is_forgotten(leases: Leases) -> None:
    leases.take("held")
    assert leases.look() == []
    leases.age("held", LEASE_SECONDS + 1)
    assert lapsed(leases.client, "unacked_index", lease_seconds=LEASE_SECONDS) == []
    leases.client.delete("unacked_index")
    assert leases.look() == []
    assert not leases.client.exists(LEASES)


def consumer_of(app: Celery, tags: list[str]) -> SimpleNamespace:
    qos = SimpleNamespace(_delivered=dict.fromkeys(tags), _dirty=set())
    return SimpleNamespace(app=app, task_consumer=SimpleNamespace(channel=SimpleNamespace(qos=qos)))


def test_keeper_survives_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = SimpleNamespace(message=SimpleNamespace(delivery_tag="held"))
    monkeypatch.setattr(state, "requests", {"a task": request})
    stopping = threading.Event()
    data = tmp_path / "data"
    with EmbeddedBroker(data) as broker:
        app = Celery("outage", broker=broker.url, set_as_current=False)
        client = redis.Redis(unix_socket_path=str(broker.socket))
        Leases(client).take("held")
        keeper = threading.Thread(
            target=keep_leases, args=(consumer_of(app, ["held"]), stopping), kwargs={"lease_seconds": 0.4}
        )
        keeper.start()

        def renewed() -> bool:
            try:
                return (client.zscore(LEASES, "held") or 0) > 1
            except redis.exceptions.RedisError:
                return False

        try:
            wait_until(renewed)
            os.kill(broker.pid, signal.SIGKILL)
            wait_until(lambda: not renewed())
            broker.restart()
            Leases(client).take("held")
            client.delete(LEASES)
            wait_until(renewed)
        finally:
            stopping.set()
            keeper.join(timeout=PATIENCE_SECONDS)
        assert not keeper.is_alive()
