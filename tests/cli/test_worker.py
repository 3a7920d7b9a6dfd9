from __future__ import annotations

import sys
from typing import Any

import pytest
from cli.conftest import UNREACHABLE, Virnucpro

from virnucpro_tasks.cli import preflight, worker
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.system.gpus import Gpu


class Replaced(SystemExit):
    """The process would have become another program."""


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The program, arguments and environment that the process would have become."""
    calls: list[Any] = []

    def execve(*call: Any) -> None:
        calls.extend(call)
        raise Replaced(0)

    monkeypatch.setattr(worker.os, "execve", execve)
    monkeypatch.setattr(worker, "check_redis", lambda _: None)
    return calls


def test_it_becomes_the_supervisor_with_the_same_settings(virnucpro: Virnucpro, executed: list[Any]) -> None:
    assert virnucpro("worker", "--devices", "cpu,cpu", "--name", "h", "--cpu-threads", 3).code == ExitCode.OK
    program, arguments, environment = executed
    assert program == arguments[0] == sys.executable
    assert arguments[1] == "-I"
    assert arguments[-7:] == ["virnucpro_workers", "--devices", "cpu,cpu", "--coordinators", "1", "--name", "h"]
    assert environment["VIRNUCPRO_CPU_THREADS"] == "3"
    assert environment["VIRNUCPRO_BROKER_URL"] == UNREACHABLE


def test_optional_arguments_are_passed_on(virnucpro: Virnucpro, executed: list[Any], tmp_path) -> None:
    virnucpro("worker", "--coordinators", 2, "--no-small-lane", "--grace-seconds", 7.5, "--run-dir", tmp_path)
    assert executed[1][-9:] == [
        *("--devices", "auto", "--coordinators", "2", "--no-small-lane"),
        *("--grace-seconds", "7.5", "--run-dir", str(tmp_path)),
    ]


def test_it_waits_for_gpus_whose_driver_comes_late(
    virnucpro: Virnucpro, executed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the driver twice, then with one GPU that is not the named one, then with both
    answers = iter([(), (), (Gpu(0, "GPU-a"),), (Gpu(0, "GPU-a"), Gpu(1, "GPU-b"))])
    monkeypatch.setattr(preflight, "list_gpus", lambda: next(answers))
    monkeypatch.setattr(preflight, "require_backend", lambda *_, **__: None)
    monkeypatch.setattr(worker.time, "sleep", lambda _: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    done = virnucpro("worker", "--devices", "1", "--wait-for-devices")
    assert done.code == ExitCode.OK and next(answers, None) is None
    # Said once for each thing that is missing; and the supervisor does not wait once more
    assert sum("waiting for devices" in line for line in done.err) == 2
    assert executed[1][-4:] == ["--devices", "1", "--coordinators", "1"]


@pytest.mark.parametrize("arguments", [("--devices", "gpu"), ("--devices", "0,x", "--wait-for-devices")])
def test_it_waits_for_nothing_unasked_and_not_for_what_cannot_come(
    virnucpro: Virnucpro, executed: list[Any], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(preflight, "list_gpus", lambda: (Gpu(0, "GPU-a"),) if "0,x" in arguments else ())
    monkeypatch.setattr(worker.time, "sleep", lambda _: pytest.fail("waited"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert virnucpro("worker", *arguments).code == ExitCode.USAGE
    assert not executed


def test_only_coordinators_need_neither_torch_nor_a_bundle(
    virnucpro: Virnucpro, executed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("not needed")

    monkeypatch.setattr(worker, "require_extra", refuse)
    monkeypatch.setattr(worker, "locate_bundle", refuse)
    assert virnucpro("worker", "--devices", "none").code == ExitCode.OK
    assert executed[1][-4:] == ["--devices", "none", "--coordinators", "1"]


def test_without_redis_no_worker_is_started(virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.os, "execve", lambda *_: pytest.fail("started"))
    assert virnucpro("worker", "--devices", "cpu").code == ExitCode.UNREACHABLE
