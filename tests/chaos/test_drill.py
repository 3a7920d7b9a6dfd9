"""When a drill injects faults, and when it counts them as recovered."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.chaos import drill as module
from virnucpro_tasks.chaos.drill import Injector
from virnucpro_tasks.chaos.faults import Scene
from virnucpro_tasks.chaos.report import Drill
from virnucpro_tasks.jobs.progress import JobState, job_progress
from virnucpro_tasks.settings import Settings


def test_faults_are_injected_up_to_their_number_and_are_over_when_their_shards_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(settings, SAMPLE)
    hits: list[Any] = [None, {0}, set()]
    monkeypatch.setattr(module, "GAP_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(module, "FAULTS", {"harm": lambda scene: hits.pop(0)})
    drill = Drill(seed=1, workers=1, lease_seconds=1)
    injector = Injector(drill, 2, random.Random(1))
    scene = cast(Scene, SimpleNamespace(job=job, catch_up=lambda: None))
    running = job_progress(job)
    # The first one finds nothing to hit and does not count.
    for expected in (0, 1, 2, 2):
        injector.poll(scene, running)
        assert drill.faults.total() == expected
    assert drill.recovery_seconds == {}
    # The one that hit a shard is over when that is embedded, the other one with any progress.
    injector.poll(scene, replace(running, shards_done=1))
    assert len(drill.recovery_seconds["harm"]) == 1
    job.paths.embedding(0).parent.mkdir(parents=True, exist_ok=True)
    job.paths.embedding(0).touch()
    injector.poll(scene, running)
    assert len(drill.recovery_seconds["harm"]) == 2


def test_nothing_is_injected_into_a_job_that_is_over(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(settings, SAMPLE)
    monkeypatch.setattr(module, "GAP_SECONDS", (0.0, 0.0))
    drill = Drill(seed=1, workers=1, lease_seconds=1)
    scene = cast(Scene, SimpleNamespace(job=job, catch_up=lambda: None))
    Injector(drill, 2, random.Random(1)).poll(scene, replace(job_progress(job), state=JobState.DONE))
    assert drill.faults.total() == 0
