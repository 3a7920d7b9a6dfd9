from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import pytest

from virnucpro_tasks.classifier.contig_call import (
    Call,
    ContigEvidence,
    Tier,
    chunk_evidence,
    contig_calls,
    joined_evidence,
)

UNIT = 1 << 80


class Called(NamedTuple):
    call: Call
    tier: Tier
    weighted_delta: float
    viral_proportion: float
    nonviral_proportion: float


def evidence(*chunks: tuple[float, float]) -> ContigEvidence:
    """The evidence of a contig whose chunks have these highest P(others) and P(virus)."""
    others, virus = np.array(chunks).T
    found = chunk_evidence(others, virus)
    masks = (found.is_confident_viral, found.is_confident_nonviral, found.is_ambiguous)
    sums = (found.weighted_deltas, found.weights)
    return ContigEvidence(
        len(chunks), *(int(mask.sum()) for mask in masks), *(round(float(terms.sum()) * UNIT) for terms in sums)
    )


def called(*chunks: tuple[float, float]) -> Called:
    """The call of a contig with these chunks."""
    return all_called([evidence(*chunks)])[0]


def all_called(contigs: list[ContigEvidence]) -> list[Called]:
    calls = contig_calls(contigs)
    return [Called(*values) for values in zip(*(getattr(calls, column.name) for column in fields(calls)), strict=True)]


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


def test_a_contig_without_any_difference_has_a_delta_of_zero() -> None:
    assert called((0.5, 0.5), (0.7, 0.7)).weighted_delta == 0


def test_contigs_are_called_each_by_itself() -> None:
    contigs = [[(0.1, 0.9)] * 5, [(0.5, 0.5)], [(0.9, 0.1)] * 4, [(0.8, 0.9)], [(0.5001, 0.5)]]
    assert all_called([evidence(*chunks) for chunks in contigs]) == [called(*chunks) for chunks in contigs]
    assert all_called([]) == []


def test_a_small_delta_is_no_negative_zero() -> None:
    assert str(called((0.50001, 0.5)).weighted_delta) == "0.0"


def test_evidence_of_parts_is_that_of_the_whole() -> None:
    one, other = ContigEvidence(1, 2, 3, 4, 5, 6), ContigEvidence(1, 1, 1, 1, -10, 10**30)
    assert joined_evidence(one, other) == ContigEvidence(2, 3, 4, 5, -5, 10**30 + 6)
