"""A heartbeat is renewed while the consumer polls or holds a task, and not otherwise."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.worker import state
from virnucpro_workers.consumer.heartbeat import HeartbeatStep
from virnucpro_workers.health import Phase, heartbeat_file, read_heartbeat


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
    then = time.time() - 100
    os.utime(step.file, (then, then))
    step.poll(consumer)
    assert (read_heartbeat(step.file).age_seconds < 50) is beats
    step.stop(consumer)
    assert read_heartbeat(step.file).phase is Phase.RECONNECTING
