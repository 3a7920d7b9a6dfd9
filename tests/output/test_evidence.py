"""Levels of evidence."""

from __future__ import annotations

import pytest

from virnucpro_tasks.output.evidence import Evidence, evidence_of


@pytest.mark.parametrize(
    ("scored_chunks", "scored_fraction", "expected"),
    [
        (5, 0.5, Evidence.HIGH),
        (100, 1.0, Evidence.HIGH),
        (4, 1.0, Evidence.MEDIUM),
        (100, 0.49, Evidence.MEDIUM),
        (2, 0.25, Evidence.MEDIUM),
        (1, 1.0, Evidence.LOW),
        (100, 0.24, Evidence.LOW),
    ],
)
def test_the_level_takes_both_chunks_and_share(scored_chunks: int, scored_fraction: float, expected: Evidence) -> None:
    assert evidence_of(scored_chunks, scored_fraction) is expected
