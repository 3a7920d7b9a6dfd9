from __future__ import annotations

from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np
import pytest

from virnucpro_tasks.classifier.contig_call import (
    CALLS,
    ROUNDING,
    TIERS,
    Call,
    ContigEvidence,
    Tier,
    contig_calls,
    contig_evidence,
)


class Called(NamedTuple):
    call: Call
    tier: Tier
    weighted_delta: float
    viral_proportion: float
    nonviral_proportion: float


Chunks = list[tuple[float, float]]
"""Highest P(others) and P(virus) of each chunk of a contig."""


def evidence(*contigs: Chunks) -> ContigEvidence:
    """The evidence of contigs with these chunks."""
    others, virus = np.array([chunk for chunks in contigs for chunk in chunks]).reshape(-1, 2).T
    ends = np.cumsum([len(chunks) for chunks in contigs], dtype=np.intp)
    return contig_evidence(others, virus, np.append(0, ends)[:-1])


def called(*chunks: tuple[float, float]) -> Called:
    """The call of a contig with these chunks."""
    return all_called(list(chunks))[0]


def all_called(*contigs: Chunks) -> list[Called]:
    calls = contig_calls(evidence(*contigs))
    columns = (getattr(calls, column.name).tolist() for column in fields(calls))
    return [
        Called(CALLS[call], TIERS[tier], *(units / ROUNDING for units in numbers))
        for call, tier, *numbers in zip(*columns, strict=True)
    ]


def test_large_deltas_weigh_more() -> None:
    call = called((0.1, 0.91), (0.5, 0.75))
    # d = 0.81 and 0.25, √d = 0.9 and 0.5
    assert call.weighted_delta == round((0.81 * 0.9 + 0.25 * 0.5) / 1.4, 3) == 0.61


@pytest.mark.parametrize(
    ("chunks", "call", "tier"),
    [
        ([(0.1, 0.9)] * 5, "Viral", "high_confidence"),
        ([(0.1, 0.9)] * 4, "Viral", "low_confidence"),
        ([(0.9, 0.1)] * 5, "Non-viral", "high_confidence"),
        ([(0.9, 0.1)] * 4, "Non-viral", "low_confidence"),
        ([(0.25, 0.82)] * 5, "Viral", "moderate_confidence"),
        ([(0.82, 0.25)] * 5, "Non-viral", "moderate_confidence"),
        ([(0.2, 0.8)] * 5, "Viral", "low_confidence"),
        ([(0.2, 0.8)] * 4, "Viral", "review"),
        ([(0.25, 0.82)] * 1 + [(0.3, 0.79)] * 9, "Viral", "moderate_confidence"),
        ([(0.25, 0.82)] * 1 + [(0.3, 0.79)] * 10, "Viral", "low_confidence"),
        ([(0.25, 0.5)] * 9, "Ambiguous", "review"),
        ([(0.5, 0.5)] * 5, "Ambiguous", "review"),
        ([(0.5, 0.5)], "Ambiguous", "review"),
    ],
)
def test_calls_and_tiers(chunks: list[tuple[float, float]], call: str, tier: str) -> None:
    assert called(*chunks)[:2] == (call, tier)


def test_the_delta_is_compared_before_it_is_rounded() -> None:
    assert called(*[(0.0, 0.30001)] * 5)[:3] == ("Viral", "low_confidence", 0.3)
    assert called(*[(0.0, 0.3)] * 5)[:3] == ("Ambiguous", "review", 0.3)


def test_ambiguous_chunks_do_not_count_in_proportions() -> None:
    call = called(*[(0.1, 0.9)] * 2, *[(0.8, 0.9)] * 3, (0.9, 0.1))
    assert (call.viral_proportion, call.nonviral_proportion) == (0.667, 0.333)
    assert called((0.8, 0.9)).viral_proportion == 0


def test_proportions_are_rounded_as_python_rounds_them() -> None:
    numbers = np.arange(1, 4_001)
    for others in (2_000, 4_000):
        evidence_of_many = replace(
            evidence(*[[(0.1, 0.9)]] * others), chunks=np.full(others, others), confident_viral=numbers[:others]
        )
        rounded = contig_calls(evidence_of_many).viral_proportions / ROUNDING
        assert rounded.tolist() == [round(number / others, 3) for number in numbers[:others].tolist()]


def test_a_contig_without_any_difference_has_a_delta_of_zero() -> None:
    assert called((0.5, 0.5), (0.7, 0.7)).weighted_delta == 0


def test_contigs_are_called_each_by_itself() -> None:
    contigs = [[(0.1, 0.9)] * 5, [(0.5, 0.5)], [(0.9, 0.1)] * 4, [(0.8, 0.9)], [(0.5001, 0.5)]]
    assert all_called(*contigs) == [called(*chunks) for chunks in contigs]
    assert all_called() == []


def test_a_small_delta_is_no_negative_zero() -> None:
    assert str(called((0.50001, 0.5)).weighted_delta) == "0.0"


def test_evidence_of_parts_is_that_of_the_whole() -> None:
    one, other = [(0.1, 0.9), (0.8, 0.9)], [(0.9, 0.1), (0.3, 0.7), (0.75, 0.72)]
    whole = evidence([*one, *other])
    assert evidence(one) + evidence(other) == whole
    assert evidence(one, other)[:1] + evidence(one, other)[1:] == whole
    assert (len(whole), whole.chunks.tolist(), whole.ambiguous.tolist()) == (1, [5], [2])
    assert evidence(one) != evidence(other)
