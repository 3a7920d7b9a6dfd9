from __future__ import annotations

from pathlib import Path

import numpy as np
from heads.records import made_records

from virnucpro_tasks.heads.baselines import baseline_scores
from virnucpro_tasks.heads.evaluation import evaluation
from virnucpro_tasks.heads.evaluation_table import write_table


def test_rows_are_parts_of_the_records_and_the_last_column_names_the_bundle(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    found = made_records(48, unscored=4)
    found.lengths[:10] = 400
    sequences = [random.choice(np.frombuffer(b"ACGT", np.uint8), 80).tobytes() for _ in range(48)]
    report = evaluation(found, baseline_scores(found, sequences, seed=1), prevalence=0.05, seed=1)
    write_table(tmp_path / "table.tsv", {"label": "tiny (DEMONSTRATION)"} | report)
    lines = [line.split("\t") for line in (tmp_path / "table.tsv").read_text().splitlines()]
    bundles = [line[-1] for line in lines]
    assert bundles == ["bundle", *["tiny (DEMONSTRATION)"] * 6, "NA", "NA", "NA"]
    assert [line[0] for line in lines] == [
        "records_of",
        "all",
        "all, scored only",
        "0 to 499",
        "0 to 499, scored only",
        "500 to 999",
        "500 to 999, scored only",
        "4-mers, all",
        "6-mers, all",
        "longest open reading frame, all",
    ]
    rows = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[1:]}
    assert rows["all"]["scored"] == "44" and rows["all, scored only"]["records"] == "44"
    assert float(rows["all"]["auroc_95_low"]) <= float(rows["all"]["auroc"]) <= float(rows["all"]["auroc_95_high"])
    assert rows["0 to 499"]["auroc"] == rows["0 to 499"]["auroc_95_low"] == "NA"
    assert rows["0 to 499"]["reason"] == "10 records, fewer than 20" and rows["all"]["reason"] == "NA"
