"""The quarantine file of a shard: which of its records have no vectors, and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow.compute as pc

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.reads.record import shown
from virnucpro_tasks.recovery.bisect import next_probe
from virnucpro_tasks.recovery.events import read_events
from virnucpro_tasks.recovery.history import History
from virnucpro_tasks.shards.tables import read_table
from virnucpro_tasks.system.files import read_checked, write_checked

log = logging.getLogger(__name__)


class QuarantinedRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record at fault: its ordinal in the job, its id with escapes, and the reason."""

    record_ordinal: int
    record_id: str
    reason: str


class Quarantine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of quarantine/{shard}.json: the records at fault and all attempts at the shard."""

    records: tuple[QuarantinedRecord, ...]
    attempts: tuple[dict[str, Any], ...]


def write_quarantine(paths: JobPaths, shard: int, culprits: dict[int, str]) -> None:
    """Write quarantine/{shard}.json; `culprits` maps the ordinals of the records at fault to reasons."""
    chunks = read_table(paths.chunks(shard))
    rows = chunks.filter(pc.is_in(chunks["record_ordinal"], pc.cast(list(culprits), "int64")))
    names = dict(zip(rows["record_ordinal"].to_pylist(), rows["record_id"].to_pylist(), strict=True))
    records = tuple(
        QuarantinedRecord(ordinal, shown(names.get(ordinal, b"")), reason)
        for ordinal, reason in sorted(culprits.items())
    )
    attempts = tuple(map(msgspec.to_builtins, read_events(paths.attempts(shard))))
    write_checked(paths.quarantined(shard), Quarantine(records, attempts))


def quarantine_reasons(paths: JobPaths, shard: int, ordinals: Sequence[int], *, max_attempts: int) -> dict[int, str]:
    """The reasons in quarantine/{shard}.json by record ordinal; `ordinals` are the records of the shard with frames.

    A missing or damaged file is written again from the attempts file; empty if that is lost too.
    """
    try:
        return read_quarantine(paths, shard)
    except DamagedError as error:
        log.warning("job=%s: %s: written again from the attempts file", paths.job_id, error)
    culprits = next_probe(History.of(read_events(paths.attempts(shard))), ordinals, max_attempts=max_attempts).culprits
    if culprits:
        write_quarantine(paths, shard, culprits)
    return culprits


def read_quarantine(paths: JobPaths, shard: int) -> dict[int, str]:
    """The reasons in quarantine/{shard}.json by record ordinal. Raises DamagedError if it is missing or was changed."""
    file = paths.quarantined(shard)
    try:
        found = read_checked(file, Quarantine)
    except FileNotFoundError:
        raise DamagedError(file) from None
    return {record.record_ordinal: record.reason for record in found.records}
