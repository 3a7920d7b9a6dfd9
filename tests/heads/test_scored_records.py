from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from virnucpro_tasks.heads import scored_records
from virnucpro_tasks.heads.labels import Label, Labels
from virnucpro_tasks.heads.scored_records import ScoredRecords, read_scored, score_column, score_of

TABLE = """record_id\tinput\tlength\tstatus\tmean_viral_score\tvirus_score
a\tx.fa\t500\tscored\t0.6\t0.9
b\tx.fa\t400\tpartial_frame\tNA\t0.3
c\ty.fa\t300\tno_open_frame\tNA\tNA
d\ty.fa\t200\tscored\t0.2\t0.1
"""


def test_every_record_with_a_value_is_scored_whatever_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scored_records, "result_files", lambda _: [])
    (tmp_path / "records.tsv").write_text(TABLE)
    spec = SimpleNamespace(inputs=[SimpleNamespace(name="x.fa"), SimpleNamespace(name="y.fa")])
    job: Any = SimpleNamespace(spec=spec, paths=SimpleNamespace(results=tmp_path))
    found = read_scored(job, Labels({name: Label(virus=True, group=name, taxon="") for name in "abc"}))
    assert (found.ids, found.places, found.unlabelled) == (["a", "b", "c"], [0, 1, 2], 1)
    np.testing.assert_array_equal(found.scores, [0.9, 0.3, np.nan])
    assert read_scored(job, Labels.by_file()).virus.tolist() == [True, True, False, False]


def test_the_record_score_is_judged_where_there_is_one() -> None:
    assert score_column(["record_id", "mean_viral_score", "virus_score"]) == "virus_score"
    assert score_column(["record_id", "mean_viral_score"]) == "mean_viral_score"
    with pytest.raises(ValueError, match="virus_score, mean_viral_score"):
        score_column(["record_id"])
    assert score_of("0.25") == 0.25 and np.isnan(score_of("NA"))


def test_a_part_keeps_order_and_labels() -> None:
    labels = [Label(virus=number < 2, group=f"g{number}", taxon="") for number in range(3)]
    found = ScoredRecords(list("abc"), np.array([1, 2, 3]), labels, np.array([0.1, np.nan, 0.3]), [4, 5, 6], "x", 7)
    part = found.of(found.is_scored)
    assert (part.ids, part.lengths.tolist(), part.places, part.groups) == (["a", "c"], [1, 3], [4, 6], ["g0", "g2"])
    assert (part.virus.tolist(), part.scores.tolist(), part.unlabelled) == ([True, False], [0.1, 0.3], 7)
