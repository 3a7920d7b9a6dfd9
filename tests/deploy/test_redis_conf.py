"""deploy/redis.conf in a real server: it starts, means what it says, and a job runs with the rights it gives."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from deploy.redis_server import ADMIN, PASSWORD, USER, started_redis
from service.deployment import Deployment

from virnucpro_tasks.broker import find_server
from virnucpro_tasks.errors import BrokerError

pytestmark = pytest.mark.service

SAMPLE = str(Path(__file__).resolve().parents[2] / "examples" / "sample.fasta")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        find_server()
    except BrokerError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with started_redis(tmp_path_factory.mktemp("redis"), port) as started:
        yield started


@pytest.fixture
def deployment(address: str, tmp_path: Path) -> Iterator[Deployment]:
    started = Deployment(tmp_path, f"redis://{USER}:{PASSWORD}@{address}")
    yield started
    started.stop()


def client(address: str, username: str | None, password: str | None) -> redis.Redis:
    return redis.Redis.from_url(f"redis://{address}", decode_responses=True, username=username, password=password)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bind", "127.0.0.1 -::1"),
        ("protected-mode", "yes"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("save", ""),
        ("maxmemory-policy", "noeviction"),
        ("maxmemory", str(2 * 1024**3)),
        ("timeout", "0"),
        ("tcp-keepalive", "60"),
    ],
)
def test_the_server_has_the_values_of_the_file(address: str, name: str, value: str) -> None:
    assert client(address, ADMIN, PASSWORD).config_get(name) == {name: value}


def test_nobody_comes_in_without_a_name(address: str) -> None:
    for username, password in ((None, None), (USER, "wrong"), ("default", "")):
        with pytest.raises(redis.exceptions.AuthenticationError):
            client(address, username, password).ping()


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "KEYS *", "CONFIG GET dir", "SHUTDOWN NOSAVE", "REPLICAOF NO ONE", "ACL LIST"]
)
def test_the_user_of_the_workers_cannot_empty_or_reconfigure_the_server(address: str, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        client(address, USER, PASSWORD).execute_command(*command.split())


def test_a_job_runs_to_its_end_with_the_rights_of_that_user(deployment: Deployment, address: str) -> None:
    admin = client(address, ADMIN, PASSWORD)
    admin.execute_command("ACL LOG RESET")
    deployment.start_workers("cpu")
    job_id = deployment.run("submit", SAMPLE).strip()
    deployment.run("watch", job_id)
    assert deployment.json("status", job_id)["state"] == "done"
    assert admin.execute_command("ACL LOG") == []
