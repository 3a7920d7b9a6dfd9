"""Why records of a shard have no vectors."""

from __future__ import annotations

import json

import pyarrow.compute as pc

from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.jobs.attempts import read_attempts
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.reads.record import shown
from virnucpro_tasks.shards.files import read_table


def write_quarantine(paths: JobPaths, shard: int, culprits: dict[int, str]) -> None:
    """Write quarantine/{shard}.json: the records at fault by ordinal, each with its reason, and all attempts."""
    ledger = read_table(paths.ledger(shard))
    rows = ledger.filter(pc.is_in(ledger["record_ordinal"], pc.cast(list(culprits), "int64")))
    names = dict(zip(rows["record_ordinal"].to_pylist(), rows["record_id"].to_pylist(), strict=True))
    records = [
        {"record_ordinal": ordinal, "record_id": shown(names.get(ordinal, b"")), "reason": reason}
        for ordinal, reason in sorted(culprits.items())
    ]
    write_json(paths.quarantined(shard), {"records": records, "attempts": read_attempts(paths.attempts(shard))})


def quarantine_reasons(paths: JobPaths, shard: int) -> dict[int, str]:
    """The reasons in quarantine/{shard}.json by record ordinal; empty if there is none or it is damaged."""
    try:
        records = json.loads(paths.quarantined(shard).read_bytes())["records"]
        return {int(entry["record_ordinal"]): str(entry["reason"]) for entry in records}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
