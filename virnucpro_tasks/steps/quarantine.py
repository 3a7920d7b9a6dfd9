"""Why records of a shard have no vectors."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pyarrow.compute as pc

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.attempts import History, read_attempts
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.reads.record import shown
from virnucpro_tasks.sealed import read_sealed, write_sealed
from virnucpro_tasks.shards.files import read_table
from virnucpro_tasks.steps.bisecting import next_step

log = logging.getLogger(__name__)

FIELDS = {"records", "attempts"}


def write_quarantine(paths: JobPaths, shard: int, culprits: dict[int, str]) -> None:
    """Write quarantine/{shard}.json, sealed: the records at fault by ordinal, each with its reason; all attempts."""
    ledger = read_table(paths.ledger(shard))
    rows = ledger.filter(pc.is_in(ledger["record_ordinal"], pc.cast(list(culprits), "int64")))
    names = dict(zip(rows["record_ordinal"].to_pylist(), rows["record_id"].to_pylist(), strict=True))
    records = [
        {"record_ordinal": ordinal, "record_id": shown(names.get(ordinal, b"")), "reason": reason}
        for ordinal, reason in sorted(culprits.items())
    ]
    write_sealed(paths.quarantined(shard), {"records": records, "attempts": read_attempts(paths.attempts(shard))})


def quarantine_reasons(paths: JobPaths, shard: int, ordinals: Sequence[int], *, max_attempts: int) -> dict[int, str]:
    """The reasons in quarantine/{shard}.json by record ordinal; `ordinals` are the records of the shard with frames.

    A file that is missing or was damaged is made again from the notes of attempts; empty if these are lost too.
    """
    try:
        return read_quarantine(paths, shard)
    except DamagedError as error:
        log.warning("job=%s: %s: made again from the notes of attempts", paths.job_id, error)
    culprits = next_step(History.of(read_attempts(paths.attempts(shard))), ordinals, max_attempts=max_attempts).culprits
    if culprits:
        write_quarantine(paths, shard, culprits)
    return culprits


def read_quarantine(paths: JobPaths, shard: int) -> dict[int, str]:
    """The reasons in quarantine/{shard}.json by record ordinal. Raises DamagedError if it is not what was written."""
    file = paths.quarantined(shard)
    try:
        content = read_sealed(file)
        reasons = {entry["record_ordinal"]: entry["reason"] for entry in content["records"]}
    except (FileNotFoundError, KeyError, TypeError):
        raise DamagedError(file) from None
    sound = all(type(ordinal) is int and isinstance(reason, str) for ordinal, reason in reasons.items())
    if content.keys() != FIELDS or not sound:
        raise DamagedError(file)
    return reasons
