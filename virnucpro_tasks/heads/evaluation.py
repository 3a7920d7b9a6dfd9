"""Evaluation of a finished job with labels, beside baselines: everything that the report of `evaluate` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.baselines import baseline_figures
from virnucpro_tasks.heads.cutoffs import cutoffs
from virnucpro_tasks.heads.figures import by_group, by_length_class, by_taxon, figures, group_warnings, too_few
from virnucpro_tasks.heads.metrics import CALIBRATION_BINS, calibration_bins
from virnucpro_tasks.heads.scored_records import ScoredRecords


def evaluation(
    found: ScoredRecords, baselines: Mapping[str, NDArray[np.float64]], *, prevalence: float, seed: int
) -> dict[str, Any]:
    """The report as plain values; `baselines` are scores (n,) of the same records by name.

    Records without a score count as called other and rank last, but in the parts named `scored`, which leave them out.
    """
    virus = found.virus
    scored = found.of(found.is_scored)
    # One class alone has figures by taxon, but no cutoff.
    few = too_few(len(virus)) or (None if 0 < virus.sum() < len(virus) else "all records have the same label")
    return {
        "score": found.score_column,
        "records": len(virus),
        "scored": len(scored.labels),
        "unscored": len(virus) - len(scored.labels),
        "unlabelled": found.unlabelled,
        "groups": len(set(found.groups)),
        "prevalence": prevalence,
        "warnings": group_warnings(found),
        "all": figures(found, seed=seed),
        "all_scored": figures(scored, seed=seed),
        "by_length": by_length_class(found, seed=seed),
        "by_length_scored": by_length_class(scored, seed=seed),
        "by_taxon": by_taxon(found, seed=seed),
        "by_group": by_group(found, seed=seed),
        "cutoffs": {"reason": few} if few else cutoffs(found.scores, virus, prevalence=prevalence),
        "reliability": reliability(scored),
        **baseline_figures(found, dict(baselines), seed=seed),
    }


def reliability(scored: ScoredRecords) -> list[dict[str, Any]]:
    """For each tenth of the scale: the number of scored records in it, their mean score, and the share of viruses.

    The last two are None where it has none, or if there are too few records in all.
    """
    bins = calibration_bins(scored.scores)
    few = too_few(len(bins)) is not None
    rows = []
    for number in range(CALIBRATION_BINS):
        inside = bins == number
        empty = few or not inside.any()
        rows.append(
            {
                "from": number / CALIBRATION_BINS,
                "to": (number + 1) / CALIBRATION_BINS,
                "records": int(inside.sum()),
                "viruses": int(scored.virus[inside].sum()),
                "mean_score": None if empty else round(float(scored.scores[inside].mean()), 4),
                "share_of_viruses": None if empty else round(float(scored.virus[inside].mean()), 4),
            }
        )
    return rows
