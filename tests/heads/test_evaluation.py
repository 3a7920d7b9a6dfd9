from __future__ import annotations

from pathlib import Path

import numpy as np

from virnucpro_tasks.heads.evaluation import Scored, evaluation, write_picture, write_table
from virnucpro_tasks.heads.labels import Label

LABELS = [
    Label(virus=number % 2 == 0, group=f"g{number}", taxon="phages" if number % 2 == 0 else "") for number in range(12)
]


def test_a_report_has_figures_by_length_and_taxon_and_a_table_and_a_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sequences = [random.choice(np.frombuffer(b"ACGT", np.uint8), 80).tobytes() for _ in range(13)]
    scores = np.array([0.9 if label.virus else 0.2 for label in LABELS])
    found = Scored([f"r{n}" for n in range(12)], np.full(12, 700), LABELS, scores, range(1, 13), 2, 1)
    report, baseline = evaluation(found, sequences, seed=1)
    assert (report["records"], report["unscored"], report["unlabelled"], report["groups"]) == (12, 2, 1, 12)
    assert report["all"]["auroc"] == 1 and list(report["by_length"]) == ["500 to 999"]
    assert report["by_taxon"] == {"phages": {"records": 6, "virus": True, "called_virus": 1.0, "mean_score": 0.9}}
    assert len(baseline) == 12 and report["baseline_4_mers"]["records"] == 12
    write_table(tmp_path / "table.tsv", {"label": "tiny (DEMONSTRATION)"} | report)
    lines = (tmp_path / "table.tsv").read_text().splitlines()
    bundles = [line.split("\t")[-1] for line in lines]
    assert bundles == ["bundle", "tiny (DEMONSTRATION)", "tiny (DEMONSTRATION)", "NA"]
    assert [line.split("\t")[0] for line in lines] == ["records_of", "all", "500 to 999", "4-mers, all"]
    write_picture(tmp_path / "picture.svg", found, baseline, title="a test")
    assert "a test" in (tmp_path / "picture.svg").read_text()
