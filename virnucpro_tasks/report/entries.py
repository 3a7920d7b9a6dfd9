"""Entries of run.json that the report shows, with their types: a file that was edited is told, not half shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from virnucpro_tasks.errors import DamagedError, InputError
from virnucpro_tasks.system.files import decode

NEEDED = ("inputs", "model", "parameters", "times", "versions")
"""Entries that a report is made from, besides those of every version."""


class NamedInput(msgspec.Struct, frozen=True):
    """An entry of `inputs`."""

    name: str
    bytes: int
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    sample: str = ""


class NamedModel(msgspec.Struct, frozen=True):
    """The entry `model`."""

    name: str


class TimedShard(msgspec.Struct, frozen=True):
    """An entry of `times.shards`."""

    worker: str
    shard: int | None
    shards: int
    started_at: datetime
    ended_at: datetime
    seconds: float
    tokens: int


class TimedWorker(msgspec.Struct, frozen=True):
    """An entry of `times.workers`."""

    worker: str
    host: str
    device: str
    processor: str | None
    torch: str | None
    driver: str | None
    cuda: str | None
    shards: int


class JobTimes(msgspec.Struct, frozen=True):
    """The entry `times`; earlier versions have neither shards nor workers."""

    created_at: str
    finished_at: str
    seconds: float
    finishing_seconds: float
    shards: list[TimedShard] = []
    workers: list[TimedWorker] = []


class Versions(msgspec.Struct, frozen=True):
    """The entry `versions`."""

    tasks: str = msgspec.field(name="virnucpro-tasks")


class SampleEntry(msgspec.Struct, frozen=True):
    """An entry of `samples`."""

    records: dict[str, int]
    virus_records: int


class ReportedRun(msgspec.Struct, frozen=True):
    """The entries of run.json that the page shows."""

    inputs: list[NamedInput]
    model: NamedModel
    parameters: dict[str, Any]
    times: JobTimes
    versions: Versions
    samples: dict[str, SampleEntry] = {}


def require_entries(run: Mapping[str, Any], file: Path) -> None:
    """Raise InputError if an entry that the report needs is missing, DamagedError if one has another form."""
    if missing := [name for name in NEEDED if name not in run]:
        raise InputError(f"it does not tell the {', '.join(missing)} of the job", file=str(file))
    reported = decode(run, ReportedRun, path=file)
    if {entry.sample for entry in reported.inputs} - set(reported.samples or [""]):
        raise DamagedError(file)
