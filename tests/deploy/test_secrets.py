"""The password of Redis is seen nowhere: not in the list of processes, not in logs, not in Flower or `config show`."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from deploy.redis_server import PASSWORD as SECRET
from deploy.redis_server import USER, started_redis
from service.deployment import COMMAND, Deployment, wait_until
from service.test_monitoring import answer, free_port

from virnucpro_tasks.broker import find_server
from virnucpro_tasks.errors import BrokerError

pytestmark = pytest.mark.service

LOGIN = "operator:shown-to-nobody"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    try:
        find_server()
    except BrokerError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (tmp_path / "redis").mkdir()
    with started_redis(tmp_path / "redis", port) as address:
        settings = {"FLOWER_BASIC_AUTH": LOGIN, "VIRNUCPRO_LOG_LEVEL": "DEBUG"}
        started = Deployment(tmp_path, f"redis://{USER}:{SECRET}@{address}", settings=settings)
        yield started
        started.stop()


def page(url: str) -> str:
    login = base64.b64encode(LOGIN.encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
    return urllib.request.urlopen(request, timeout=10).read().decode()


def test_nobody_sees_the_password(deployment: Deployment) -> None:
    # Given workers and Flower, one of them started with the address on its command line
    address = deployment.environment["VIRNUCPRO_BROKER_URL"]
    log = deployment.folder / "workers.log"
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [*COMMAND, "worker", "--devices", "cpu", "--broker-url", address],
            env=deployment.environment | {"VIRNUCPRO_BROKER_URL": "redis://127.0.0.1:1/0"},
            stdout=output,
            stderr=output,
        )
        deployment.supervisors.append(supervisor)
        port = free_port()
        flower = subprocess.Popen(
            [*COMMAND, "flower", "--port", str(port)], env=deployment.environment, stdout=output, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        workers = wait_until(
            lambda: [name for name in deployment.json("doctor", expect=0)] if _ready(deployment) else 0
        )
        assert workers
        assert wait_until(lambda: answer(f"{url}/api/workers?refresh=1", login=LOGIN)) == 200
        # Then no process shows it in its command line
        family = [psutil.Process(process.pid) for process in (supervisor, flower)]
        family += [child for process in list(family) for child in process.children(recursive=True)]
        assert len(family) >= 6
        for process in family:
            assert SECRET not in " ".join(process.cmdline()), process
            assert "shown-to-nobody" not in " ".join(process.cmdline()), process
        # Nor Flower in its pages, nor any log, nor the settings
        for path in ("/broker", "/workers", "/tasks", "/api/workers?refresh=1", "/metrics"):
            assert SECRET not in page(f"{url}{path}"), path
        assert SECRET not in log.read_text()
        assert SECRET not in deployment.run("config", "show")
        assert SECRET not in deployment.run("config", "show", "--json")
    finally:
        flower.send_signal(signal.SIGTERM)
        flower.wait(20)


def _ready(deployment: Deployment) -> bool:
    try:
        return all(finding["ok"] for finding in deployment.json("doctor"))
    except AssertionError:
        return False
