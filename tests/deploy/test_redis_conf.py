"""deploy/redis.conf in a real server: it starts, means what it says, and a job runs with the rights it gives.

Its password is seen nowhere.
"""

from __future__ import annotations

import base64
import signal
import subprocess
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
import redis
from deploy.redis_server import ADMIN, PASSWORD, USER, free_port
from service.deployment import COMMAND, SAMPLE, Deployment, wait_until
from service.test_monitoring import answer

pytestmark = pytest.mark.service

LOGIN = "operator:shown-to-nobody"


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


@pytest.fixture(scope="module")
def admin(address: str) -> redis.Redis:
    found = client(address, ADMIN, PASSWORD)
    found.execute_command("ACL LOG RESET")
    return found


@pytest.fixture(scope="module")
def working(admin: redis.Redis, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Workers that tell all they can, and were started with the address on their command line."""
    url = f"redis://{USER}:{PASSWORD}@{address}"
    settings = {"FLOWER_BASIC_AUTH": LOGIN, "VIRNUCPRO_LOG_LEVEL": "DEBUG"}
    with Deployment(tmp_path_factory.mktemp("working"), url, settings=settings) as started:
        started.start_workers("cpu", "--broker-url", url, VIRNUCPRO_BROKER_URL="redis://127.0.0.1:1/0")
        yield started


def test_a_job_runs_to_its_end_with_the_rights_of_that_user(working: Deployment, admin: redis.Redis) -> None:
    job_id = working.run("submit", str(SAMPLE)).strip()
    working.run("watch", job_id)
    assert working.json("status", job_id)["state"] == "done"
    assert admin.execute_command("ACL LOG") == []


def test_an_autoscaler_may_ask_for_the_length_of_whatever_it_finds(address: str) -> None:
    # KEDA asks in a script for the type of a key, and by that for its length.
    script = "return redis.call(redis.call('type', KEYS[1]).ok == 'hash' and 'hlen' or 'llen', KEYS[1])"
    worker = client(address, USER, PASSWORD)
    worker.hset("autoscaled", mapping={"a": "1", "b": "2"})
    assert (worker.eval(script, 1, "autoscaled"), worker.eval(script, 1, "nothing")) == (2, 0)
    worker.delete("autoscaled")


def page(url: str) -> str:
    login = base64.b64encode(LOGIN.encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
    return urllib.request.urlopen(request, timeout=10).read().decode()


def test_nobody_sees_the_password(working: Deployment) -> None:
    """Not in the list of processes, not in logs, not in Flower or `config show`."""
    # Given Flower beside the workers
    port = free_port()
    with working.log.open("ab") as output:
        flower = subprocess.Popen(
            [*COMMAND, "flower", "--port", str(port)], env=working.environment, stdout=output, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _ready(working))
        assert wait_until(lambda: answer(f"{url}/api/workers?refresh=1", login=LOGIN)) == 200
        # Then no process shows it in its command line
        family = [psutil.Process(process.pid) for process in (working.supervisors[0], flower)]
        family += [child for process in list(family) for child in process.children(recursive=True)]
        assert len(family) >= 6
        for process in family:
            assert PASSWORD not in " ".join(process.cmdline()), process
            assert "shown-to-nobody" not in " ".join(process.cmdline()), process
        # Nor Flower in its pages, nor any log, nor the settings
        for path in ("/broker", "/workers", "/tasks", "/api/workers?refresh=1", "/metrics"):
            assert PASSWORD not in page(f"{url}{path}"), path
        assert PASSWORD not in working.log.read_text()
        assert PASSWORD not in working.run("config", "show")
        assert PASSWORD not in working.run("config", "show", "--json")
    finally:
        flower.send_signal(signal.SIGTERM)
        flower.wait(20)


def _ready(deployment: Deployment) -> bool:
    try:
        return all(finding["ok"] for finding in deployment.json("doctor"))
    except AssertionError:
        return False
