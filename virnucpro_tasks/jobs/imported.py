"""The part of job.json on vectors that a job took over from an earlier tool."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any

import msgspec

from virnucpro_tasks.errors import counted
from virnucpro_tasks.shards.kinds import KINDS

REPEATED = "repeat one that was taken over"
"""Why a vector is discarded of which a person need not be told."""


COMPARED_ALL = 1.0
"""The share that is compared if every vector is."""

ALL_ASKED_FOR = "all are to be compared"
"""The doubt of vectors that are compared for no other reason."""


class ImportCheck(StrEnum):
    """How much of what was taken over is computed anew and compared.

    `PROVED`: a sample of the vectors of which files of the folder prove whose they are, and all others. `SAMPLE`: a
    sample of all. `ALL`: every vector, so that nothing is saved and the folder is examined.
    """

    PROVED = "proved"
    SAMPLE = "sample"
    ALL = "all"


class ImportedSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file of the earlier tool, as far as it holds vectors of one kind that are proved in the same way.

    `vectors` is how many it holds, `taken` how many of them were taken over, `discarded` how many were not, by reason.
    `precision` is that in which they were computed. `compared` is the share of them that workers compute anew to
    compare, and `doubt` says why if it is every one. `unusable` says why nothing of the file is used.
    """

    file: str
    kind: str = ""
    precision: str = ""
    vectors: int = 0
    taken: int = 0
    discarded: dict[str, int] = {}
    compared: float = 0.0
    doubt: str = ""
    unusable: str = ""

    @property
    def is_used(self) -> bool:
        """Whether vectors of it may stand in results: not if every one is computed to compare."""
        return bool(self.taken) and self.compared < COMPARED_ALL


class ImportedWork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The vectors in the folder imported/ of a job.

    `tool` made the `folder` they come from; `digests` of their index by kind stand for all of them. Of the `wanted`
    distinct sequences of the input `found` have a vector, both by kind.
    """

    folder: str
    tool: str
    sources: tuple[ImportedSource, ...]
    digests: dict[str, str]
    wanted: dict[str, int]
    found: dict[str, int]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what results depend on."""
        facts = [self.digests, [[source.precision, source.compared] for source in self.sources]]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @property
    def precisions(self) -> dict[str, list[str]]:
        """The precisions in which the vectors that were taken over were computed, by kind."""
        return {
            kind: sorted({source.precision for source in self.sources if source.kind == kind and source.taken})
            for kind in KINDS
        }

    @property
    def is_empty(self) -> bool:
        """Whether nothing was taken over."""
        return not any(self.found.values())

    def report(self) -> dict[str, Any]:
        """The section `imported` of run.json."""
        return msgspec.to_builtins(self) | {"precisions": self.precisions, "digest": self.digest}

    def lines(self) -> list[str]:
        """Describe in lines for a person how many vectors were taken over, and why others were not."""
        found = [
            f"{self.found[kind]:,} of {counted(self.wanted[kind], f'{kind} vector')} taken over"
            + (f", computed in {' and '.join(self.precisions[kind])}" if self.precisions[kind] else "")
            for kind in KINDS
        ]
        doubts: dict[str, int] = {}
        for source in self.sources:
            if source.doubt:
                doubts[source.doubt] = doubts.get(source.doubt, 0) + source.taken
        found += [
            f"{counted(number, 'vector')} of these will be computed anew to compare: {doubt}"
            + ("" if doubt == ALL_ASKED_FOR else " ('--import-check sample' trusts a sample of them)")
            for doubt, number in sorted(doubts.items())
            if number
        ]
        reasons: dict[str, int] = {}
        for source in self.sources:
            for reason, number in source.discarded.items():
                reasons[reason] = reasons.get(reason, 0) + number
        found += [
            f"{counted(number, 'vector')} not used: they {reason}"
            for reason, number in sorted(reasons.items())
            if reason != REPEATED
        ]
        return found + [f"{source.file} is not used: {source.unusable}" for source in self.sources if source.unusable]
