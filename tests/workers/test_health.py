"""Heartbeats: written while the consumer polls or works, judged by age and phase."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.worker import state
from virnucpro_workers.health import (
    HeartbeatStep,
    Phase,
    heartbeat_file,
    main,
    read_heartbeat,
    write_heartbeat,
)


def aged(file: Path, phase: Phase, *, seconds: float) -> None:
    write_heartbeat(file, phase)
    then = time.time() - seconds
    os.utime(file, (then, then))


@pytest.mark.parametrize(
    ("phase", "seconds", "alive"),
    [
        (Phase.CONSUMING, 10, True),
        (Phase.CONSUMING, 130, False),
        (Phase.STARTING, 130, True),
        (Phase.RECONNECTING, 9999, True),
    ],
)
def test_who_is_alive(tmp_path: Path, phase: Phase, seconds: float, alive: bool) -> None:
    file = heartbeat_file(tmp_path, "embed-gpu0")
    aged(file, phase, seconds=seconds)
    heartbeat = read_heartbeat(file)
    assert heartbeat.name == "embed-gpu0"
    assert heartbeat.is_alive(max_age_seconds=120) is alive


def test_probe_names_the_silent_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aged(heartbeat_file(tmp_path, "embed-gpu0"), Phase.CONSUMING, seconds=1)
    assert main([str(tmp_path)]) == 0
    aged(heartbeat_file(tmp_path, "embed-gpu1"), Phase.CONSUMING, seconds=200)
    assert main([str(tmp_path)]) == 1
    assert "embed-gpu1: no heartbeat for 200 s" in capsys.readouterr().err
    assert main([str(tmp_path), "--max-age-seconds", "300"]) == 0


def test_probe_of_an_empty_folder_fails(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1


class Held:
    """A request the worker holds; Celery keeps weak references."""


@pytest.mark.parametrize(
    ("polling", "busy", "beats"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_beats_only_while_polling_or_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polling: bool, busy: bool, beats: bool
) -> None:
    held = {Held()} if busy else set()
    monkeypatch.setattr(state, "reserved_requests", held)
    channel = SimpleNamespace(_in_poll=object() if polling else None)
    timer = SimpleNamespace(call_repeatedly=lambda *_: SimpleNamespace(cancel=lambda: None))
    consumer = SimpleNamespace(timer=timer, task_consumer=SimpleNamespace(channel=channel))
    step = HeartbeatStep(consumer)
    step.file = heartbeat_file(tmp_path, "embed-gpu0")
    step.start(consumer)
    aged(step.file, Phase.CONSUMING, seconds=100)
    step.beat(consumer)
    assert (read_heartbeat(step.file).age_seconds < 50) is beats
    step.stop(consumer)
    assert read_heartbeat(step.file).phase is Phase.RECONNECTING
