from __future__ import annotations

import json
import os
import time
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from celery.worker.control import Panel
from virnucpro_workers.consumer import tell_facts as module
from virnucpro_workers.consumer.tell_facts import answer_facts, tell_facts

from virnucpro_tasks.queue import process_facts as asking
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.process_facts import FACTS_QUESTION, ProcessFacts, process_facts
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.gpu_reading import GpuReading
from virnucpro_tasks.system.gpus import Gpu


def state(behind_seconds: float, settings: Settings) -> Any:
    def redis_time() -> tuple[int, int]:
        now = time.time() - behind_seconds
        return int(now), int(now % 1 * 1e6)

    client = SimpleNamespace(time=redis_time)
    return SimpleNamespace(app=SimpleNamespace(settings=settings, backend=SimpleNamespace(client=client)))


def test_a_worker_tells_its_version_user_and_clock(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_facts()
    answer = json.loads(json.dumps(Panel.data[FACTS_QUESTION](state(90, settings))))
    app = make_app(settings)
    replies = [{"a@host": answer}, {"b@host": {"error": "KeyError('virnucpro_facts')"}}, {"c@host": "strange"}]
    monkeypatch.setattr(app.control, "broadcast", lambda *_, **__: replies)
    monkeypatch.setattr(asking, "check_reachable", lambda _: None)
    told = process_facts(app)
    assert told["b@host"] == told["c@host"] == ProcessFacts()
    found = told["a@host"]
    assert (found.version, found.uid) == (version("virnucpro-tasks"), os.geteuid())
    assert found.store is not None and found.store.error == f"there is no {settings.store / 'store-id'}"
    assert found.temporary is not None and (found.temporary.free_bytes or 0) > 0 and not found.temporary.error
    assert found.clock_seconds is not None and 89 < found.clock_seconds < 91


def test_without_redis_the_rest_is_told() -> None:
    found = tell_facts(SimpleNamespace(app=SimpleNamespace()))
    assert found["clock_seconds"] is None and found["version"]


@pytest.mark.parametrize(("mask", "told"), [("0", GpuReading(30, 80, 0.5, 400.0)), ("0,1", None), ("", None)])
def test_a_worker_with_one_gpu_tells_what_that_is_doing(
    mask: str, told: GpuReading | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = {"GPU-aa": GpuReading(30, 80, 0.5, 400.0)}
    monkeypatch.setattr(module, "list_gpus", lambda: (Gpu(0, "GPU-aa"), Gpu(1, "GPU-bb")))
    monkeypatch.setattr(module, "gpu_reading", readings.get)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
    module._device.cache_clear()
    try:
        answer = json.loads(json.dumps(tell_facts(SimpleNamespace(app=SimpleNamespace()))))
    finally:
        module._device.cache_clear()
    assert msgspec.convert(answer, ProcessFacts).gpu == told
