"""How much of a record its score rests on."""

from __future__ import annotations

from enum import StrEnum


class Evidence(StrEnum):
    """Levels of evidence."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


LEAST = {Evidence.HIGH: (5, 0.5), Evidence.MEDIUM: (2, 0.25)}
"""The least number of scored chunks and the least share of bases in scored chunks of each level but the lowest."""


def evidence_of(scored_chunks: int, scored_fraction: float) -> Evidence:
    """The level of a record with a score. Its call, virus or others, is no condition."""
    for level, (chunks, fraction) in LEAST.items():
        if scored_chunks >= chunks and scored_fraction >= fraction:
            return level
    return Evidence.LOW
