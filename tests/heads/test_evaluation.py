from __future__ import annotations

import json

import numpy as np
from heads.records import made_records

from virnucpro_tasks.heads.baselines import baseline_scores
from virnucpro_tasks.heads.evaluation import evaluation, reliability


def test_a_report_has_figures_with_and_without_unscored_records() -> None:
    random = np.random.default_rng(0)
    found = made_records(48, unscored=4)
    sequences = [random.choice(np.frombuffer(b"ACGT", np.uint8), 80).tobytes() for _ in range(48)]
    report = evaluation(found, baseline_scores(found, sequences, seed=1), prevalence=0.05, seed=1)
    assert (report["records"], report["scored"], report["unscored"], report["unlabelled"]) == (48, 44, 4, 1)
    assert (report["groups"], report["score"], report["warnings"]) == (24, "mean_viral_score", [])
    assert report["all"]["recall"] < 1 == report["all_scored"]["recall"]
    assert report["all"]["auroc"] < 1 == report["all_scored"]["auroc"]
    assert list(report["by_length"]) == list(report["by_length_scored"]) == ["500 to 999"]
    assert report["by_taxon"]["t0"]["called_virus"] < 1 and report["by_group"]["viruses"]["groups"] == 12
    assert report["cutoffs"]["1% false positives"]["score"] == 0.9
    assert report["cutoffs"]["score 0.5"]["false_discovery_rate"] == 0
    assert report["baseline_4_mers"]["records"] == 48
    assert json.loads(json.dumps(report))["all"]["auroc"] == report["all"]["auroc"]


def test_few_records_give_no_figure_anywhere() -> None:
    found = made_records(18, unscored=0)
    report = evaluation(found, baseline_scores(found, [b"ACGT" * 30] * 18, seed=1), prevalence=0.05, seed=1)
    assert report["all"]["auroc"] is None and report["all"]["reason"] == "18 records, fewer than 20"
    assert report["cutoffs"] == {"reason": "18 records, fewer than 20"}
    assert {row["share_of_viruses"] for row in report["reliability"]} == {None}
    assert sum(row["records"] for row in report["reliability"]) == 18
    assert {report[key]["auroc"] for key in report if key.startswith("baseline")} == {None}
    assert len(report["warnings"]) == 2


def test_reliability_is_of_scored_records_by_tenths_of_the_scale() -> None:
    found = made_records(48, unscored=4)
    rows = reliability(found.of(found.is_scored))
    filled = [row for row in rows if row["records"]]
    assert [(row["from"], row["to"], row["records"], row["viruses"]) for row in filled] == [
        (0.2, 0.3, 22, 0),
        (0.9, 1.0, 22, 22),
    ]
    assert [(row["mean_score"], row["share_of_viruses"]) for row in filled] == [(0.2, 0), (0.9, 1)]
