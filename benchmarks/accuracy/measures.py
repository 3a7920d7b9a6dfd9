"""The figures of a tool on a part of the contigs: one row of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.answers import Answers
from benchmarks.accuracy.cut import Contig
from benchmarks.accuracy.parts import parts
from virnucpro_tasks.heads.cutoffs import false_discovery_rate, recall_at_false_discoveries
from virnucpro_tasks.heads.figures import figures, too_few, without_figures
from virnucpro_tasks.heads.metrics import CALIBRATION_BINS, calibration_bins

LEVEL = 0.10
"""Rate of false discoveries for which the recall is said."""

KEPT = (
    "auroc",
    "auroc_95",
    "recall_at_1_percent",
    "recall_at_1_percent_95",
    "recall_at_5_percent",
    "recall_at_5_percent_95",
)
"""Figures as `virnucpro evaluate` gives them; those of calls follow the tool's own calls here."""

OF_CALLS = ("recall_of_calls", "false_positive_rate_of_calls", "fdr_of_calls", "calibration_error")


def rows(
    contigs: Sequence[Contig], answers: Mapping[str, Answers], *, prevalence: float, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the row of every tool on every part of every range of lengths; without a figure a value is None."""
    for lengths in dict.fromkeys(contig.lengths for contig in contigs):
        chosen = np.array([contig.lengths == lengths for contig in contigs], dtype=bool)
        of_lengths = [contig for contig in contigs if contig.lengths == lengths]
        for part, inside in parts(of_lengths):
            for tool, told in answers.items():
                values = row(told.part(chosen).part(inside), prevalence=prevalence, seed=seed)
                yield {"lengths": lengths, "part": part, "tool": tool} | values


def row(told: Answers, *, prevalence: float, seed: int) -> dict[str, Any]:
    """Numbers and figures of one tool on some contigs of both classes.

    A contig without a score ranks last and is called other. `recall_at_10_percent_fdr` is at the lowest score at which,
    with a share `prevalence` of viruses, a tenth of the calls is false; `fdr_of_calls` is that of the tool's own calls
    then; a method that only ranks has no figure of calls. Of fewer than 20 viruses or others there is no figure but a
    `reason`.
    """
    virus, records = told.virus, told.records()
    few = too_few(int(min(virus.sum(), (~virus).sum())))
    found = without_figures(records, f"of a class only {few}") if few else figures(records, seed=seed)
    groups = np.array(records.groups, dtype=object)
    numbers = {name: found[name] for name in ("records", "viruses", "scored")} | {
        "groups_of_viruses": len(set(groups[virus].tolist())),
        "groups_of_others": len(set(groups[~virus].tolist())),
    }
    values: dict[str, Any] = {name: found[name] for name in KEPT}
    values["recall_at_10_percent_fdr"] = None
    calls: dict[str, float | None] = dict.fromkeys(OF_CALLS)
    if few is None:
        recall = recall_at_false_discoveries(told.scores, virus, rate=LEVEL, prevalence=prevalence)
        values["recall_at_10_percent_fdr"] = round(recall, 4)
        calls = calls if told.only_ranks else _of_calls(told, prevalence)
    return numbers | values | calls | {"reason": found["reason"]}


def balanced_calibration_error(scores: NDArray[np.float64], virus: NDArray[np.bool_]) -> float:
    """Expected calibration error over ten bins of equal width, both classes counting the same.

    Of scores (n,) of scored records; NaN without both classes. Scores are calibrated for as many viruses as others,
    which a part of the contigs need not have.
    """
    if virus.all() or not virus.any():
        return float("nan")
    weights = np.where(virus, 0.5 / virus.sum(), 0.5 / (~virus).sum())
    bins = calibration_bins(scores)
    sums = np.bincount(bins, weights * (scores - virus), minlength=CALIBRATION_BINS)
    return float(np.abs(sums).sum())


def _of_calls(told: Answers, prevalence: float) -> dict[str, float | None]:
    virus, calls = told.virus, told.calls
    scored = ~np.isnan(told.scores)
    recall, false_positives = float(calls[virus].mean()), float(calls[~virus].mean())
    rate = float(false_discovery_rate(recall, np.float64(false_positives), prevalence))
    error = balanced_calibration_error(told.scores[scored], virus[scored])
    values = dict(zip(OF_CALLS, (recall, false_positives, rate, error), strict=True))
    return {name: None if np.isnan(value) else round(value, 4) for name, value in values.items()}
