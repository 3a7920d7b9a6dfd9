"""Targets: the files of a job, which a broken disk or another program may have changed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import msgspec
from fuzzing.target import Target, folder, json_bytes, written

from virnucpro_tasks.jobs.deduplicate import content_key
from virnucpro_tasks.jobs.job import open_job
from virnucpro_tasks.jobs.progress import FINAL_STATES, job_progress
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.recovery.bisect import next_probe
from virnucpro_tasks.recovery.events import read_events
from virnucpro_tasks.recovery.history import History
from virnucpro_tasks.recovery.quarantine import read_quarantine
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.tables import read_table, write_shard
from virnucpro_tasks.system.files import CHECKSUM, checksum

JOB_ID = "20250101t000000z-abcdefghijklmnop"
JOB = {
    "job_id": JOB_ID,
    "created_at": "2025-01-01T00:00:00+00:00",
    "inputs": [{"name": "a.fa", "bytes": 1, "sha256": "0" * 64}],
    "parameters": {
        **{"chunk_length": 500, "min_length": 60, "precision": "fp32", "dialect": "original", "strict": False},
        **{"keep_embeddings": False, "priority": 6, "shard_tokens": 1, "max_attempts": 3},
    },
    "bundle_digest": "0" * 64,
    "version": "0.1.0",
    "owner": "me",
}
ATTEMPTS = b"\n".join(
    json_bytes(entry)
    for entry in (
        {"event": "began", "probe": "whole", "pid": 1, "host": "h", "parent": 2, "limit_seconds": 5.0},
        {"event": "failed", "probe": "whole", "pid": 1, "reason": "RuntimeError: x"},
        {"event": "passed", "probe": "0-2"},
        {"event": "handed-back", "probe": "whole"},
        {"event": "records-at-fault", "probe": "rest", "reason": "NaN", "culprits": [3, 5]},
        {"event": "store-failed", "probe": "whole", "reason": "full"},
        {"event": "failed-outside", "probe": "", "reason": "no bundle"},
    )
)
FAILED = {"message": "reads.fasta: the file is empty", "exit_code": 3}
REPORT = {
    "exit_code": 6,
    "summary": "2 records: 1 scored, 1 invalid",
    "warnings": ["short reads"],
    "problems": ["record 'b': illegal character"],
    "counts": {"records": {"invalid": 1, "quarantined": 0, "scored": 1}, "chunks": {"scored": 1, "quarantined": 1}},
    "sha256": {"records.tsv": "0" * 64},
}
QUARANTINE = {"records": [{"record_ordinal": 3, "record_id": "r", "reason": "2 attempts: x"}], "attempts": []}


def read_history(data: bytes) -> None:
    """An attempts file; a next probe can be derived from it."""
    history = History.of(read_events(written(data, "attempts.jsonl")))
    next_probe(history, [3, 5, 8], max_attempts=3)


def of_job(data: bytes, name: str) -> JobPaths:
    """A job folder that holds job.json and the file `name`, or job.json alone."""
    paths = JobPaths.of(folder() / "store", JOB_ID)
    for file in (paths.run, paths.failed):
        file.unlink(missing_ok=True)
    written(json_bytes(JOB), f"store/jobs/{JOB_ID}/job.json")
    written(data, f"store/jobs/{JOB_ID}/{name}")
    return paths


def read_job(data: bytes) -> None:
    """A job's description; every property of it can be computed."""
    of_job(data, "job.json")
    job = open_job(folder() / "store", JOB_ID)
    assert job.queue.endswith(JOB_ID) and len(content_key(job.spec)) == 64 and job.spec.input_bytes is not None


def read_end(data: bytes, *, name: str) -> None:
    """The file that ends a job, run.json or failed.json."""
    of_job(data, name)
    progress = job_progress(open_job(folder() / "store", JOB_ID))
    assert progress.state in FINAL_STATES
    json.dumps(progress.as_dict())


def read_shards(data: bytes) -> None:
    """A plan with a right checksum if `data` is a list of shards."""
    try:
        shards = json.loads(data)
    except (ValueError, RecursionError):
        shards = None
    if isinstance(shards, list):
        data = with_checksum({"shards": shards})
    plan = read_plan(written(data, "plan.json"))
    assert plan.tokens is not None and len(plan.to_embed) <= len(plan.shards)


def read_reasons(data: bytes) -> None:
    """The quarantine file of a shard."""
    reasons = read_quarantine(of_job(data, "quarantine/000000.json"), 0)
    assert all(type(ordinal) is int and isinstance(reason, str) for ordinal, reason in reasons.items())


def read_parquet(data: bytes) -> None:
    """A table of a shard, its digest unchecked; every value of it can be used."""
    read_table(written(data, "table.parquet")).to_pylist()


def with_checksum(content: dict[str, object]) -> bytes:
    return json_bytes(content | {CHECKSUM: checksum(content)})


def tables() -> tuple[bytes, bytes, bytes]:
    """The two tables of a shard, and its entry in a plan."""
    reads = written(b">one\n" + b"ACGTTGCAGG" * 12 + b"\n>two\nNN\n", "seed.fasta")
    (batch,) = frame_batches([ReadInput(reads, "reads")], chunk_length=60)
    places: list[Path] = [folder() / "seed.frames.parquet", folder() / "seed.chunks.parquet"]
    entry = write_shard(batch, frames=places[0], chunks=places[1])
    return places[0].read_bytes(), places[1].read_bytes(), json_bytes([msgspec.to_builtins(entry)])


*TABLES, PLAN = tables()

JOB_TARGETS = {
    "attempts": Target(read_history, (ATTEMPTS,)),
    "job.json": Target(read_job, (json_bytes(JOB), with_checksum(JOB))),
    "run.json": Target(partial(read_end, name="run.json"), (json_bytes(REPORT),)),
    "failed.json": Target(partial(read_end, name="failed.json"), (json_bytes(FAILED), with_checksum(FAILED))),
    "plan.json": Target(read_shards, (PLAN, b"[]")),
    "quarantine": Target(read_reasons, (json_bytes(QUARANTINE), with_checksum(QUARANTINE))),
    "tables": Target(read_parquet, tuple(TABLES)),
}
