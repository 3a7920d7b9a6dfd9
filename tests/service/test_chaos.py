"""The drill in short, and that it notices when a result is not the same."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from job import run_job
from service.deployment import SAMPLE, start

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos import drill as drill_module
from virnucpro_tasks.chaos.faults import FAULTS
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.usefixtures("broker")]

COUNT = 12


def test_a_drill_loses_doubles_and_changes_nothing() -> None:
    arguments = ["chaos", str(SAMPLE), "--faults", str(COUNT), "--seed", "5", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIRNUCPRO_")}
    with start(arguments, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=500)
        finally:
            process.kill()
    errors = err.decode()
    assert "Traceback" not in errors, errors
    report = json.loads(out)
    assert process.returncode == 0, report
    assert (report["lost"], report["doubled"], report["differing_files"]) == (0, 0, 0)
    assert report["faults"] == COUNT
    assert len(report["kinds"]) >= len(FAULTS) / 2


def test_a_result_that_was_tampered_with_is_noticed(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampering(_app: Celery, job: Job, **_: Any) -> Iterator[Progress]:
        # Without workers; the fault is injected before the job is done
        yield job_progress(job)
        run_job(job, settings)
        records = job.paths.results / "records.tsv"
        lines = records.read_text().splitlines(keepends=True)
        # Each job loses another record.
        del lines[1 + sum(1 for _ in (tmp_path / "store" / "jobs").iterdir())]
        records.write_text("".join(lines))
        yield job_progress(job)

    monkeypatch.setattr(drill_module, "wait_for", tampering)
    monkeypatch.setattr(drill_module, "Hosts", lambda *_: nullcontext())
    monkeypatch.setattr(drill_module, "GAP_SECONDS", (0, 0))
    monkeypatch.setattr(drill_module, "FAULTS", {"cut_connections": FAULTS["cut_connections"]})
    settings = Settings(store=tmp_path, bundle="demo", lease_seconds=5)
    drill = drill_module.run_drill(settings, SAMPLE, faults=1, seed=1, workers=1)
    assert drill.faults.total() == 1
    assert not drill.same
    assert drill.as_dict()["lost"] == 1
