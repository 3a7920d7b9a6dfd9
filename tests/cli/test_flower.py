from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.cli import flower
from virnucpro_tasks.errors import ExitCode, FullBrokerError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments and the password that Flower was started with."""
    calls: list[Any] = []
    app = SimpleNamespace(start=lambda arguments: calls.append((arguments, os.environ[flower.PASSWORD_VARIABLE])))
    monkeypatch.setattr(flower, "app_of", lambda _: app)
    monkeypatch.setattr(flower, "check_room", lambda _: None)
    # Set first, so that what the command sets is taken back after the test.
    monkeypatch.setenv(flower.PASSWORD_VARIABLE, "")
    for name in flower.SHOWN:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return calls


def test_a_random_password_is_printed_and_not_on_the_command_line(virnucpro: Virnucpro, started: list[Any]) -> None:
    ended = virnucpro("flower", "--port", 5556)
    assert ended.code == ExitCode.OK
    arguments, secret = started[0]
    user, _, password = secret.partition(":")
    assert ended.err == [
        f"user {user}, password {password}",
        "Flower at http://127.0.0.1:5556; progress of jobs is on the page of 'virnucpro exporter'",
    ]
    assert len(password) >= 12 and not any(password in argument for argument in arguments)
    assert {"--address=127.0.0.1", "--port=5556", "--read_only=True"} <= set(arguments)


def test_a_full_redis_is_told_and_can_be_looked_at(
    virnucpro: Virnucpro, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise FullBrokerError("Redis is full", hint="raise its maxmemory")

    monkeypatch.setattr(flower, "check_room", full)
    ended = virnucpro("flower", "--port", 5556)
    assert (ended.code, len(started)) == (ExitCode.OK, 1)
    assert ended.err[0] == "warning: Redis is full (raise its maxmemory)"


@pytest.mark.parametrize("login", ["secret", "me:secret,other"])
def test_a_login_without_a_password_is_refused(
    virnucpro: Virnucpro, started: list[Any], monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    monkeypatch.setenv(flower.PASSWORD_VARIABLE, login)
    ended = virnucpro("flower", "--port", 5556)
    assert (ended.code, started) == (ExitCode.USAGE, [])
    assert "FLOWER_BASIC_AUTH is no user:password" in ended.err[0] and "secret" not in ended.err[0]


def test_a_password_of_the_user_is_used_and_not_printed(
    virnucpro: Virnucpro, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(flower.PASSWORD_VARIABLE, "me:secret")
    ended = virnucpro("flower", "--read-write")
    assert "secret" not in "\n".join(ended.err)
    assert started[0][1] == "me:secret" and "--read_only=False" in started[0][0]


def test_without_flower_the_command_that_installs_it_is_named(
    virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flower, "find_spec", lambda _: None)
    ended = virnucpro("flower")
    assert ended.code == ExitCode.USAGE and ".[flower]" in ended.err[0]


def test_a_port_that_is_used_is_told_before_flower_starts(virnucpro: Virnucpro, started: list[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = virnucpro("flower", "--port", port)
    assert ended.code == ExitCode.USAGE and started == []
    assert ended.err == [
        f"virnucpro: error: Flower cannot listen on 127.0.0.1, port {port}: Address already in use"
        " (give another port with --port)"
    ]
    assert virnucpro("flower", "--port", port).code == ExitCode.OK


@pytest.mark.parametrize("address", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_host_is_wrong_use(address: str, virnucpro: Virnucpro, started: list[Any]) -> None:
    ended = virnucpro("flower", "--address", address)
    assert (ended.code, started) == (ExitCode.USAGE, [])
    assert address in ended.err[-1] and "of this host" in ended.err[-1]


def test_neither_a_file_in_the_current_folder_nor_a_variable_of_a_service_counts(
    virnucpro: Virnucpro, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWER_PORT", "tcp://10.0.0.1:5555")
    virnucpro("flower")
    assert f"--conf={os.devnull}" in started[0][0] and "FLOWER_PORT" not in os.environ
    monkeypatch.setenv(flower.FILE_VARIABLE, "/etc/flower.py")
    virnucpro("flower")
    assert not any(argument.startswith("--conf") for argument in started[1][0])


def test_tasks_are_listed_with_their_arguments_unless_others_are_asked_for(
    virnucpro: Virnucpro, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWER_NATURAL_TIME", "false")
    virnucpro("flower")
    assert os.environ["FLOWER_TASKS_COLUMNS"].startswith("args,state,worker")
    assert os.environ["FLOWER_NATURAL_TIME"] == "false"
