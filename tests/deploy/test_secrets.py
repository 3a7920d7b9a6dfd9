"""The password of Redis is seen nowhere: not in the list of processes, not in logs, not in Flower or `config show`."""

from __future__ import annotations

import base64
import signal
import subprocess
import urllib.request

import psutil
import pytest
from deploy.redis_server import PASSWORD as SECRET
from deploy.redis_server import free_port
from service.deployment import COMMAND, Deployment, wait_until
from service.test_monitoring import answer

pytestmark = pytest.mark.service

LOGIN = "operator:shown-to-nobody"


def page(url: str) -> str:
    login = base64.b64encode(LOGIN.encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
    return urllib.request.urlopen(request, timeout=10).read().decode()


def test_nobody_sees_the_password(deployment: Deployment) -> None:
    # Given workers and Flower, one of them started with the address on its command line
    deployment.settings |= {"FLOWER_BASIC_AUTH": LOGIN, "VIRNUCPRO_LOG_LEVEL": "DEBUG"}
    address = deployment.environment["VIRNUCPRO_BROKER_URL"]
    nowhere = {"VIRNUCPRO_BROKER_URL": "redis://127.0.0.1:1/0"}
    supervisor = deployment.start_workers("cpu", "--broker-url", address, **nowhere)
    port = free_port()
    with deployment.log.open("ab") as output:
        flower = subprocess.Popen(
            [*COMMAND, "flower", "--port", str(port)], env=deployment.environment, stdout=output, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _ready(deployment))
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
        assert SECRET not in deployment.log.read_text()
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
