"""Evaluation of a finished job with labels, beside a 4-mer baseline: metrics, a table, a picture."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.kmers import kmer_scores
from virnucpro_tasks.heads.labels import Label, Labels
from virnucpro_tasks.heads.metrics import CALIBRATION_BINS, Metrics, by_length
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.results import result_files

SCORED = "scored"
LEAST_OF_A_TAXON = 5
"""Records; smaller taxa are left out of the report."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scored and labelled records: id, bases, label, score (mean P(virus) of its frames), place in the input.

    `unscored` and `unlabelled` are how many others there were.
    """

    ids: Sequence[str]
    lengths: NDArray[np.int64]
    labels: Sequence[Label]
    scores: NDArray[np.float64]
    places: Sequence[int]
    unscored: int
    unlabelled: int

    @property
    def virus(self) -> NDArray[np.bool_]:
        return np.array([label.virus for label in self.labels], dtype=bool)


def read_scored(job: Job, labels: Labels) -> Scored:
    """Scored records from records.tsv of a finished job. Raises DamagedError if that file was changed."""
    result_files(job)
    ordinals = {entry.name: ordinal for ordinal, entry in enumerate(job.spec.inputs)}
    rows: list[tuple[str, int, Label, float, int]] = []
    unscored = unlabelled = 0
    with (job.paths.results / "records.tsv").open(encoding="utf-8", errors="replace", newline="") as handle:
        for place, row in enumerate(csv.DictReader(handle, delimiter="\t")):
            label = labels.of(row["record_id"], ordinals[row["input"]])
            if label is None:
                unlabelled += 1
            elif row["status"] != SCORED:
                unscored += 1
            else:
                score = float(row["mean_viral_score"])
                rows.append((row["record_id"], int(row["length"]), label, score, place))
    return Scored(
        ids=[row[0] for row in rows],
        lengths=np.array([row[1] for row in rows], dtype=np.int64),
        labels=[row[2] for row in rows],
        scores=np.array([row[3] for row in rows], dtype=np.float64),
        places=[row[4] for row in rows],
        unscored=unscored,
        unlabelled=unlabelled,
    )


def evaluation(found: Scored, sequences: Sequence[bytes], *, seed: int) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The report as plain values, and the scores of the baseline; `sequences` are by place in the input."""
    virus = found.virus
    baseline = kmer_scores([sequences[place] for place in found.places], found.labels, seed=seed)
    by_taxon: dict[str, list[int]] = defaultdict(list)
    for record, label in enumerate(found.labels):
        if label.taxon:
            by_taxon[label.taxon].append(record)
    report = {
        "records": len(virus),
        "unscored": found.unscored,
        "unlabelled": found.unlabelled,
        "groups": len({label.group for label in found.labels}),
        "all": Metrics.of(found.scores, virus).as_dict(),
        "by_length": by_length(found.scores, virus, found.lengths),
        "by_taxon": {
            taxon: {
                "records": len(records),
                "virus": bool(virus[records].mean() > 0.5),
                "called_virus": round(float((found.scores[records] >= 0.5).mean()), 4),
                "mean_score": round(float(found.scores[records].mean()), 4),
            }
            for taxon, records in sorted(by_taxon.items())
            if len(records) >= LEAST_OF_A_TAXON
        },
        "baseline_4_mers": None if np.isnan(baseline).any() else Metrics.of(baseline, virus).as_dict(),
    }
    return report, baseline


BASELINE_ROW = "4-mers, all"


def write_table(path: Path, report: Mapping[str, Any]) -> None:
    """A row for all records, for each range of lengths, and for the baseline; the last column is the bundle's label."""
    rows = {"all": report["all"], **report["by_length"]}
    if report["baseline_4_mers"]:
        rows[BASELINE_ROW] = report["baseline_4_mers"]
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(["records_of", *report["all"], "bundle"])
        for name, values in rows.items():
            bundle = "NA" if name == BASELINE_ROW else report.get("label", "NA")
            writer.writerow([name, *("NA" if value is None else value for value in values.values()), bundle])


def write_picture(path: Path, found: Scored, baseline: NDArray[np.float64], *, title: str) -> None:
    """Two panels as SVG: the ROC curve beside the baseline's, and a calibration curve."""
    # Imported here: a client has neither.
    from matplotlib.figure import Figure
    from sklearn.metrics import roc_curve

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    curve, calibration = figure.subplots(1, 2)
    virus = found.virus
    curves = {"this bundle": found.scores} | ({} if np.isnan(baseline).any() else {"4-mers": baseline})
    for name, scores in curves.items():
        false_positives, recalls, _ = roc_curve(virus, scores)
        curve.plot(false_positives, recalls, label=f"{name}, AUROC {Metrics.of(scores, virus).auroc:.3f}")
    curve.plot([0, 1], [0, 1], color="gray", linestyle=":")
    curve.set(xlabel="others called virus", ylabel="viruses found")
    curve.legend(loc="lower right")
    bins = np.minimum((found.scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    filled = [number for number in range(CALIBRATION_BINS) if (bins == number).any()]
    calibration.plot(
        [found.scores[bins == number].mean() for number in filled],
        [virus[bins == number].mean() for number in filled],
        marker="o",
    )
    calibration.plot([0, 1], [0, 1], color="gray", linestyle=":")
    calibration.set(xlabel="mean score of a tenth of the scale", ylabel="share of viruses in it")
    figure.suptitle(title)
    figure.savefig(path, format="svg", metadata={"Date": None})
