"""The part of job.json on vectors or scores that a job tabulates again instead of computing them."""

from __future__ import annotations

import msgspec


class RescoredWork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Work that is used again: the `source` as the user gave it, and what it `holds`, vectors or scores.

    `warnings` are to be repeated in the report.
    """

    source: str
    holds: str
    warnings: tuple[str, ...] = ()
