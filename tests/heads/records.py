"""Labelled and scored records made up for tests."""

from __future__ import annotations

import numpy as np

from virnucpro_tasks.heads.labels import Label
from virnucpro_tasks.heads.scored_records import ScoredRecords


def made_records(
    count: int = 48, *, groups: int = 24, taxa: int = 2, length: int = 700, unscored: int = 4, virus_share: float = 0.5
) -> ScoredRecords:
    """Records of both classes by turns: viruses score 0.9, others 0.2, and the first `unscored` have no score.

    Group `g{n}` and taxon `t{n}` go round, each with one class.
    """
    labels = [
        Label(
            virus=number % 2 == 0 if virus_share == 0.5 else number < virus_share * count,
            group=f"g{number % groups}",
            taxon=f"t{number % taxa}" if taxa else "",
        )
        for number in range(count)
    ]
    scores = np.array([0.9 if label.virus else 0.2 for label in labels])
    scores[:unscored] = np.nan
    return ScoredRecords(
        [f"r{number}" for number in range(count)],
        np.full(count, length),
        labels,
        scores,
        range(count),
        "mean_viral_score",
        1,
    )
