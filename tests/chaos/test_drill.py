from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from cli.snapshots import split

from virnucpro_tasks.chaos import drill as drill_module
from virnucpro_tasks.chaos.drill import Injector, _require_done
from virnucpro_tasks.chaos.report import Drill
from virnucpro_tasks.chaos.scene import Scene
from virnucpro_tasks.errors import ExitCode, InputError
from virnucpro_tasks.jobs.progress import JobState


def test_an_input_that_fails_undisturbed_is_the_error_of_the_drill() -> None:
    done = split(JobState.DONE, shards_done=31, tokens_done=1)
    _require_done(done, Path("x.fasta"))
    failed = replace(done, state=JobState.FAILED, message="no valid record", exit_code=ExitCode.BAD_INPUT)
    with pytest.raises(InputError, match=r"x\.fasta: no valid record") as raised:
        _require_done(failed, Path("x.fasta"))
    assert raised.value.exit_code == ExitCode.BAD_INPUT


def test_rarer_kinds_of_fault_come_first_and_one_without_a_target_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = {name: lambda scene: set() for name in "abcdef"}
    monkeypatch.setattr(drill_module, "FAULTS", kinds | {"impossible": lambda scene: None})
    monkeypatch.setattr(drill_module, "GAP_SECONDS", (0, 0))
    drill = Drill(seed=1, workers=1, lease_seconds=1.0)
    injector = Injector(drill, 12, random.Random(1))
    scene = cast(Scene, SimpleNamespace(catch_up=lambda: None, job=None))
    for _ in range(1_000):
        injector.poll(scene, split(JobState.EMBEDDING, shards_done=1, tokens_done=1))
        if drill.faults.total() == 6:
            assert set(drill.faults) >= set("abcde")
    assert drill.faults.total() == 12 and set(drill.faults) == set(kinds)
