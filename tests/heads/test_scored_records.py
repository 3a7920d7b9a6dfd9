from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.heads.labels import Label
from virnucpro_tasks.heads.scored_records import ScoredRecords, score_column, score_of


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
