"""The picture of an evaluation: ROC curves, and a reliability diagram with the number of records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.evaluation import reliability
from virnucpro_tasks.heads.metrics import CALIBRATION_BINS, Metrics, ranking
from virnucpro_tasks.heads.scored_records import ScoredRecords

_DIAGONAL = {"color": "gray", "linestyle": ":"}


def write_picture(
    path: Path, found: ScoredRecords, baselines: Mapping[str, NDArray[np.float64]], *, title: str
) -> None:
    """Write an SVG: ROC curves of all records, and of the scored ones alone, beside the baselines'; a reliability
    diagram above the number of viruses and others in each tenth of the scale. One class, or no records, has no curve.
    """
    # Imported here: a client has no matplotlib.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplot_mosaic([["roc", "reliability"], ["roc", "counts"]], height_ratios=[3, 1])
    _draw_curves(axes["roc"], found, baselines)
    _draw_reliability(axes["reliability"], axes["counts"], found)
    figure.suptitle(title)
    # The names of its elements are random without a salt.
    with rc_context({"svg.hashsalt": "evaluation"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_curves(axes: Any, found: ScoredRecords, baselines: Mapping[str, NDArray[np.float64]]) -> None:
    from sklearn.metrics import roc_curve

    scored = found.is_scored
    curves = {"this bundle": (found.scores, found.virus)}
    if not scored.all():
        curves["this bundle, scored records only"] = (found.scores[scored], found.virus[scored])
    curves |= {name: (scores, found.virus) for name, scores in baselines.items() if not np.isnan(scores).all()}
    for name, (scores, virus) in curves.items():
        if 0 < virus.sum() < len(virus):
            false_positives, recalls, _ = roc_curve(virus, ranking(scores))
            axes.plot(false_positives, recalls, label=f"{name}, AUROC {Metrics.of(scores, virus).auroc:.3f}")
    axes.plot([0, 1], [0, 1], **_DIAGONAL)
    axes.set(xlabel="others called virus", ylabel="viruses found")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize="small")


def _draw_reliability(axes: Any, counts: Any, found: ScoredRecords) -> None:
    rows = reliability(found.of(found.is_scored))
    filled = [row for row in rows if row["mean_score"] is not None]
    axes.plot([row["mean_score"] for row in filled], [row["share_of_viruses"] for row in filled], marker="o")
    axes.plot([0, 1], [0, 1], **_DIAGONAL)
    axes.set(ylabel="share of viruses", xlim=(0, 1))
    axes.tick_params(labelbottom=False)
    middles = [(row["from"] + row["to"]) / 2 for row in rows]
    width = 0.9 / CALIBRATION_BINS
    others = [row["records"] - row["viruses"] for row in rows]
    counts.bar(middles, others, width, label="others")
    counts.bar(middles, [row["viruses"] for row in rows], width, bottom=others, label="viruses")
    for middle, row in zip(middles, rows, strict=True):
        counts.annotate(str(row["records"]), (middle, row["records"]), ha="center", va="bottom", fontsize="x-small")
    counts.set(xlabel="score, by tenth of the scale", ylabel="records", xlim=(0, 1))
    counts.margins(y=0.25)
    counts.legend(fontsize="x-small")
