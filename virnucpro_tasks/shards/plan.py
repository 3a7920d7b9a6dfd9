"""The plan of a job: which shards there are and what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.sealed import read_object, typed

SHARDS_PER_GROWTH = 2_000
"""After so many shards their size doubles: 16 G tokens fit into 10,000 shards, and no job floods the queue."""

MAX_LEDGER_ROWS = 500_000
"""Ledger rows of one shard, so that input without open frames is written in bounded memory too."""


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One shard: rows of its ledger, frames, ESM-2 tokens (two more than residues, a frame), SHA-256 of the sequences
    of its frames, and of both files.
    """

    ledger_rows: int
    frames: int
    tokens: int
    digest: str
    frames_sha256: str
    ledger_sha256: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The content of plan.json; a shard's number is its place in `shards`."""

    shards: tuple[ShardEntry, ...]

    @property
    def tokens(self) -> int:
        return sum(entry.tokens for entry in self.shards)

    @property
    def to_embed(self) -> list[int]:
        """Numbers of the shards that hold frames."""
        return [number for number, entry in enumerate(self.shards) if entry.frames]


def shard_token_budget(shard: int, *, first_budget: int) -> int:
    """ESM-2 tokens at which shard number `shard` is closed."""
    return first_budget << (shard // SHARDS_PER_GROWTH)


def write_plan(path: Path, shards: Sequence[ShardEntry]) -> None:
    """Write plan.json atomically: splitting is complete."""
    entries = [asdict(entry) for entry in shards]
    write_json(path, {"shards": entries, "sha256": _digest(entries)})


def read_plan(path: Path) -> Plan:
    """Read plan.json. Raises FileNotFoundError while splitting is not complete, DamagedError if it was changed."""
    try:
        content = read_object(path)
        if content["sha256"] != _digest(content["shards"]):
            raise DamagedError(path)
        return Plan(tuple(typed(ShardEntry, entry) for entry in content["shards"]))
    except (KeyError, TypeError):
        raise DamagedError(path) from None


def _digest(entries: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
