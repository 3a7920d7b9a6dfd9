"""The drill in short, and that it notices when a result is not the same."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service.deployment import COMMAND, SAMPLE

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos import drill as drill_module
from virnucpro_tasks.chaos.faults import FAULTS
from virnucpro_tasks.jobs.progress import Progress
from virnucpro_tasks.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.usefixtures("broker")]

COUNT = 24


def test_a_drill_loses_doubles_and_changes_nothing() -> None:
    result = subprocess.run(
        [*COMMAND, "chaos", str(SAMPLE), "--faults", str(COUNT), "--seed", "5", "--json"],
        env={name: value for name, value in os.environ.items() if not name.startswith("VIRNUCPRO_")},
        capture_output=True,
        timeout=500,
        check=False,
    )
    errors = result.stderr.decode()
    assert "Traceback" not in errors, errors
    report = json.loads(result.stdout)
    assert result.returncode == 0, report
    assert (report["lost"], report["doubled"], report["differing_files"]) == (0, 0, 0)
    assert report["faults"] == COUNT
    assert len(report["kinds"]) >= len(FAULTS) / 2


def test_a_result_that_was_tampered_with_is_noticed(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = drill_module.wait_for

    def tampering(*arguments: Any, **options: Any) -> Iterator[Progress]:
        yield from finished(*arguments, **options)
        job = arguments[1]
        records = job.paths.results / "records.tsv"
        lines = records.read_text().splitlines(keepends=True)
        # Each job loses another record.
        del lines[1 + sum(1 for _ in (tmp_path / "store" / "jobs").iterdir())]
        records.write_text("".join(lines))

    monkeypatch.setattr(drill_module, "wait_for", tampering)
    monkeypatch.setattr(drill_module, "FAULTS", {"deliver_twice": FAULTS["deliver_twice"]})
    settings = Settings(store=tmp_path, bundle="demo", lease_seconds=5, shard_tokens=1)
    drill = drill_module.run_drill(settings, SAMPLE, faults=1, seed=1, workers=1)
    assert not drill.same
    assert drill.as_dict()["lost"] == 1
