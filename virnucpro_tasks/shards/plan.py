"""The plan of a job: which shards there are and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from virnucpro_tasks.system.files import read_checked, write_checked

SHARDS_PER_GROWTH = 2_000
"""After so many shards their size doubles: 16 G tokens fit into 10,000 shards, and no job floods the queue."""

MAX_CHUNK_ROWS = 500_000
"""chunk rows of one shard, so that input without open frames is written in bounded memory too."""


class ShardEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One shard: rows of its chunk table, frames, ESM-2 tokens (residues and two more a frame), SHA-256 of its
    sequences and of both files.
    """

    chunk_rows: int
    frames: int
    tokens: int
    digest: str
    frames_sha256: str
    chunks_sha256: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
    write_checked(path, Plan(tuple(shards)))


def read_plan(path: Path) -> Plan:
    """Read plan.json. Raises FileNotFoundError while splitting is not complete, DamagedError if it was changed."""
    return read_checked(path, Plan)
