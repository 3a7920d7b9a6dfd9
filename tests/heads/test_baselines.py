from __future__ import annotations

import numpy as np
from heads.records import made_records

from virnucpro_tasks.heads.baselines import BASELINES, baseline_figures, baseline_scores


def test_baselines_are_judged_on_all_records_even_those_the_bundle_gives_no_score() -> None:
    random = np.random.default_rng(0)
    found = made_records(48, unscored=40)
    shares = {True: [0.4, 0.1, 0.1, 0.4], False: [0.1, 0.4, 0.4, 0.1]}
    letters = np.frombuffer(b"ACGT", np.uint8)
    sequences = [random.choice(letters, 300, p=shares[label.virus]).tobytes() for label in found.labels]
    scores = baseline_scores(found, sequences, seed=1)
    assert list(scores) == list(BASELINES)
    report = baseline_figures(found, scores, seed=1)
    assert list(report) == list(BASELINES.values())
    assert report["baseline_4_mers"]["scored"] == report["baseline_6_mers"]["scored"] == 48
    assert report["baseline_4_mers"]["auroc"] > 0.95 and report["baseline_6_mers"]["auroc"] > 0.9
    # Viruses here have more A and T, so more stop codons.
    longest = report["baseline_longest_open_reading_frame"]
    assert longest["auroc"] < 0.2 and longest["auroc_95"][1] < 0.3
    assert longest["precision"] is None and longest["calibration_error"] is None and longest["recall_95"] is None


def test_a_baseline_that_cannot_be_learnt_says_why() -> None:
    found = made_records(24, groups=8)
    report = baseline_figures(found, baseline_scores(found, [b"ACGT" * 30] * 24, seed=1), seed=1)
    assert report["baseline_4_mers"]["reason"] == "a class has fewer than 5 groups"
    assert report["baseline_4_mers"]["auroc"] is None and report["baseline_4_mers"]["records"] == 24
    assert report["baseline_longest_open_reading_frame"]["auroc"] == 0.5
