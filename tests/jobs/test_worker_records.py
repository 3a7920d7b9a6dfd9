from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from job import SAMPLE, embed, finish_files, make_job

from virnucpro_tasks.jobs import worker_records
from virnucpro_tasks.jobs.worker_records import WorkerFacts, WorkerRecord, embedded_shards, worker_report
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings

GPU = WorkerFacts("node1", "embed-gpu0@node1", "NVIDIA H200", "Xeon", "570.86", "12.8", "2.9.0")
CPU = WorkerFacts("node2", "embed-cpu0@node2", "cpu", "EPYC", None, None, "2.9.0")


@pytest.fixture
def paths(settings: Settings) -> JobPaths:
    return make_job(settings, SAMPLE).paths


def report(paths: JobPaths, shards: range) -> list[dict[str, Any]]:
    return worker_report(embedded_shards(paths, shards), [100] * len(shards))


def counts(paths: JobPaths, shards: range) -> dict[str, int]:
    return {entry["worker"]: entry["shards"] for entry in report(paths, shards)}


def test_each_worker_is_named_once_with_its_shards_however_often_it_was_started(paths: JobPaths) -> None:
    for shard in range(3):
        WorkerRecord(GPU).add(paths, shard)
    other = WorkerRecord(CPU)
    for shard in range(3, 10):
        other.add(paths, shard)
    assert report(paths, range(10)) == [
        msgspec.to_builtins(GPU) | {"shards": 3, "tokens": 300, "seconds": 0.0},
        msgspec.to_builtins(CPU) | {"shards": 7, "tokens": 700, "seconds": 0.0},
    ]
    assert counts(paths, range(4)) == {GPU.worker: 3, CPU.worker: 1}


def test_another_driver_is_another_entry(paths: JobPaths) -> None:
    WorkerRecord(GPU).add(paths, 0)
    WorkerRecord(msgspec.structs.replace(GPU, driver="580.1")).add(paths, 1)
    assert [entry["driver"] for entry in report(paths, range(2))] == ["570.86", "580.1"]


def test_a_shard_that_was_embedded_twice_counts_for_the_last_worker(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = WorkerRecord(GPU), WorkerRecord(CPU)
    first.add(paths, 0)
    first.add(paths, 1)
    times = iter([datetime(2099, 1, 1, tzinfo=UTC)])
    monkeypatch.setattr(worker_records, "_now", lambda: next(times))
    second.add(paths, 1)
    assert counts(paths, range(2)) == {GPU.worker: 1, CPU.worker: 1}


def test_seconds_are_those_since_the_worker_began_a_shard(paths: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime(2099, 1, 1, tzinfo=UTC)
    times = iter(start + timedelta(seconds=seconds) for seconds in (0, 1.5, 10, 12))
    monkeypatch.setattr(worker_records, "_now", lambda: next(times))
    record = WorkerRecord(GPU)
    for shard in range(2):
        record.begin()
        record.add(paths, shard)
    (entry,) = report(paths, range(2))
    assert (entry["tokens"], entry["seconds"]) == (200, 3.5)


def test_records_of_earlier_versions_are_read(paths: JobPaths) -> None:
    WorkerRecord(GPU).add(paths, 0)
    (file,) = paths.workers.iterdir()
    file.write_bytes(file.read_bytes().splitlines()[0] + b'\n{"shard":1,"at":"2026-11-30T09:00:00.123+00:00"}\n')
    assert counts(paths, range(2)) == {GPU.worker: 1}


def test_what_cannot_be_written_or_read_is_left_out(paths: JobPaths) -> None:
    record = WorkerRecord(CPU)
    record.add(paths, 0)
    (file,) = paths.workers.iterdir()
    file.write_bytes(file.read_bytes() + b'{"shard": 1, "at"')
    (paths.workers / "other.jsonl").write_bytes(b"\xff\n")
    (paths.workers / "empty.jsonl").touch()
    (paths.workers / "folder.jsonl").mkdir()
    assert counts(paths, range(2)) == {CPU.worker: 1}
    # A job that is gone, or was made by a version that had no such files
    gone = replace(paths, root=paths.root.with_name("gone"))
    record.add(gone, 0)
    assert report(gone, range(2)) == [] and not gone.root.exists()


def test_ten_thousand_shards_make_one_short_entry(paths: JobPaths) -> None:
    record = WorkerRecord(GPU)
    for shard in range(10_000):
        record.add(paths, shard)
    assert len(json.dumps(report(paths, range(10_000)))) < 300


def test_the_report_of_a_job_that_was_resumed_names_who_has_each_shard_now(settings: Settings) -> None:
    settings = replace(settings, shard_tokens=1_500)
    job = make_job(settings, SAMPLE)
    shards = list(split_files(job))
    WorkerRecord(GPU).add(job.paths, shards[0])
    for shard in shards[1:]:
        embed(job, shard, settings)
    assert finish_files(job) == shards[:1]
    embed(job, shards[0], settings)
    assert finish_files(job) == []
    times = json.loads(job.paths.run.read_bytes())["times"]
    (entry,) = times["workers"]
    assert (entry["device"], entry["driver"], entry["cuda"]) == ("cpu", None, None)
    assert entry["shards"] == len(shards) > 2 and entry["torch"] and entry["host"] and entry["processor"]
    assert [shard["shard"] for shard in sorted(times["shards"], key=lambda shard: shard["shard"])] == shards
    assert all(shard["started_at"] < shard["ended_at"] and shard["tokens"] > 0 for shard in times["shards"])
    assert sum(shard["tokens"] for shard in times["shards"]) == entry["tokens"]
    assert sum(shard["seconds"] for shard in times["shards"]) == pytest.approx(entry["seconds"], abs=0.1)
