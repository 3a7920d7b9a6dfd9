"""The plan of a job: which shards there are and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from virnucpro_tasks.system.files import read_checked, write_checked

SHARDS_PER_GROWTH = 2_000
"""After so many shards their size doubles: 16 G tokens fit into 10,000 shards, and no job floods the queue."""

FINER_FROM_SHARDS = 16
"""The least number of shards of which the last are cut finer."""

SPECIAL_TOKENS = 2
"""<cls> and <eos> around every protein."""

MAX_RESIDUES = 1_022
"""ESM-2 was trained on windows of 1,024 tokens, <cls> and <eos> counted; longer proteins are cut to this."""

MAX_CHUNK_ROWS = 500_000
"""chunk rows of one shard, so that input without open frames is written in bounded memory too."""


class ShardEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One shard: rows of its chunk table, frames, ESM-2 tokens (residues and two more a frame), SHA-256 of its
    sequences and of both files; how many of its frames are segments, and the ESM-2 tokens of these; how many are of
    chunks of reverse complements, and the tokens of these, which are not among the segments.
    """

    chunk_rows: int
    frames: int
    tokens: int
    digest: str
    frames_sha256: str
    chunks_sha256: str
    segments: int = 0
    segment_tokens: int = 0
    reverse_frames: int = 0
    reverse_tokens: int = 0


class InputFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An input file as splitting found it: the number of its first record in the job, from 0 (-1 if it holds none),
    whether it holds reads of pairs, how many alignments of a BAM file were left out, how many records have many
    ambiguous letters, and how many proteins of its frames are longer than MAX_RESIDUES.
    """

    first_record: int = -1
    has_mates: bool = False
    skipped: int = 0
    ambiguous: int = 0
    long_proteins: int = 0


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of plan.json; a shard's number is its place in `shards`, an input's its place in `inputs`.

    A plan of an older version has no `inputs`.
    """

    shards: tuple[ShardEntry, ...]
    inputs: tuple[InputFacts, ...] = ()

    @property
    def tokens(self) -> int:
        return sum(entry.tokens for entry in self.shards)

    @property
    def segments(self) -> int:
        return sum(entry.segments for entry in self.shards)

    @property
    def segment_tokens(self) -> int:
        return sum(entry.segment_tokens for entry in self.shards)

    @property
    def reverse_frames(self) -> int:
        return sum(entry.reverse_frames for entry in self.shards)

    @property
    def reverse_tokens(self) -> int:
        return sum(entry.reverse_tokens for entry in self.shards)

    @property
    def to_embed(self) -> list[int]:
        """Numbers of the shards that hold frames."""
        return [number for number, entry in enumerate(self.shards) if entry.frames]

    def facts(self, ordinal: int) -> InputFacts:
        """The facts of an input."""
        return self.inputs[ordinal] if self.inputs else InputFacts()


def shard_token_budget(shard: int, *, first_budget: int) -> int:
    """ESM-2 tokens at which shard number `shard` is closed."""
    return first_budget << (shard // SHARDS_PER_GROWTH)


def write_plan(path: Path, shards: Sequence[ShardEntry], inputs: Sequence[InputFacts] = ()) -> None:
    """Write plan.json atomically: splitting is complete."""
    write_checked(path, Plan(tuple(shards), tuple(inputs)))


def read_plan(path: Path) -> Plan:
    """Read plan.json. Raises FileNotFoundError while splitting is not complete, DamagedError if it was changed."""
    return read_checked(path, Plan)
