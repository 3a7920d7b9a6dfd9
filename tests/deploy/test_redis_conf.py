"""deploy/redis.conf in a real server: it starts, means what it says, and a job runs with the rights it gives."""

from __future__ import annotations

import pytest
import redis
from deploy.redis_server import ADMIN, PASSWORD, USER
from service.deployment import SAMPLE, Deployment

pytestmark = pytest.mark.service


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
    job_id = deployment.run("submit", str(SAMPLE)).strip()
    deployment.run("watch", job_id)
    assert deployment.json("status", job_id)["state"] == "done"
    assert admin.execute_command("ACL LOG") == []
