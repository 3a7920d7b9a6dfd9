from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy.answers import Answers
from benchmarks.accuracy.cut import Contig
from benchmarks.accuracy.measures import OF_CALLS, balanced_calibration_error, row, rows
from benchmarks.accuracy.tool_scores import ToolScores


def knowing(contigs: list[Contig], *, unscored: int = 0) -> Answers:
    """A tool that is right about every contig but the first `unscored` ones, of which it says nothing."""
    kept = contigs[unscored:]
    return Answers.of(
        contigs,
        ToolScores(
            {contig.contig_id: 0.9 if contig.source.virus else 0.2 for contig in kept},
            {contig.contig_id: contig.source.virus for contig in kept},
        ),
    )


def test_a_row_counts_what_has_no_score(contigs: list[Contig]) -> None:
    whole, part = (row(knowing(contigs, unscored=left), prevalence=0.05, seed=1) for left in (0, 60))
    assert (whole["records"], whole["viruses"], whole["scored"], whole["reason"]) == (180, 90, 180, None)
    assert whole["auroc"] == whole["recall_of_calls"] == whole["recall_at_10_percent_fdr"] == 1
    assert (part["scored"], part["recall_of_calls"], part["recall_at_10_percent_fdr"]) == (120, 0.6667, 0.6667)
    assert part["auroc"] < 1 and part["recall_at_5_percent"] < 1 and part["false_positive_rate_of_calls"] == 0
    assert part["calibration_error"] == pytest.approx(0.15) == whole["calibration_error"]
    assert part["auroc_95"][0] < part["auroc"] < part["auroc_95"][1]


def test_false_discoveries_of_calls_are_said_for_the_prevalence(contigs: list[Contig]) -> None:
    told = knowing(contigs)
    others = np.flatnonzero(~told.virus)
    told.calls[others[:9]] = True
    found = row(told, prevalence=0.05, seed=1)
    assert found["false_positive_rate_of_calls"] == 0.1
    assert found["fdr_of_calls"] == pytest.approx(0.095 / 0.145, abs=1e-4)


def test_few_contigs_have_no_figure(contigs: list[Contig]) -> None:
    found = row(knowing(contigs[:38]), prevalence=0.05, seed=1)
    assert found.pop("reason") == "of a class only 19 records, fewer than 20"
    numbers = ("records", "viruses", "scored", "groups_of_viruses", "groups_of_others")
    assert [found.pop(name) for name in numbers][:3] == [38, 19, 38] and set(found.values()) == {None}
    assert set(found) | {*numbers, "reason"} == set(row(knowing(contigs), prevalence=0.05, seed=1))


def test_a_method_that_only_ranks_has_no_figure_of_calls(contigs: list[Contig]) -> None:
    found = row(replace(knowing(contigs), only_ranks=True), prevalence=0.05, seed=1)
    assert {name for name, value in found.items() if value is None} == {*OF_CALLS, "reason"}
    assert found["recall_at_10_percent_fdr"] == found["auroc"] == 1


def test_every_tool_has_a_row_for_every_part(contigs: list[Contig]) -> None:
    answers = {"one": knowing(contigs), "other": knowing(contigs, unscored=30)}
    found = list(rows(contigs, answers, prevalence=0.05, seed=1))
    assert [(one["lengths"], one["part"], one["tool"]) for one in found[:2]] == [
        ("300-1200", "all", "one"),
        ("300-1200", "all", "other"),
    ]
    assert len({(one["lengths"], one["part"], one["tool"]) for one in found}) == len(found)
    assert {one["records"] for one in found if (one["lengths"], one["part"]) == ("400", "all")} == {60}
    assert len({tuple(one) for one in found}) == 1


def test_calibration_with_both_classes_counting_the_same() -> None:
    # Calibrated for equal classes: of scores 0.75 three quarters are viruses, once classes are made equal.
    scores = np.array([0.75] * 4 + [0.25] * 4)
    virus = np.array([True, True, True, False, True, False, False, False])
    assert balanced_calibration_error(scores, virus) == pytest.approx(0)
    more_others = np.concatenate([virus, np.repeat(virus[~virus], 9)])
    repeated = np.concatenate([scores, np.repeat(scores[~virus], 9)])
    assert balanced_calibration_error(repeated, more_others) == pytest.approx(0)
    assert balanced_calibration_error(np.array([0.9, 0.9]), np.array([True, False])) == pytest.approx(0.4)
    assert np.isnan(balanced_calibration_error(np.array([0.9]), np.array([True])))
