"""Made-up vectors: a direction that tells the classes apart, groups that are alike, several frames a record."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import Label

WIDTHS = (6, 10)


@pytest.fixture(scope="session")
def make_examples() -> Callable[..., Examples]:
    def make(*, groups: int = 40, records: int = 4, distance: float = 1.0, seed: int = 0) -> Examples:
        random = np.random.default_rng(seed)
        direction = np.random.default_rng(99).standard_normal(sum(WIDTHS))
        vectors, record, labels = [], [], []
        for group in range(groups):
            virus = group % 2 == 0
            centre = 0.5 * random.standard_normal(sum(WIDTHS)) + (distance if virus else -distance) / 4 * direction
            for _ in range(records):
                for _ in range(int(random.integers(1, 6))):
                    vectors.append(5 + 3 * (centre + random.standard_normal(sum(WIDTHS))))
                    record.append(len(labels))
                labels.append(Label(virus=virus, group=f"g{group}", taxon=f"t{group % 3}"))
        joined = np.array(vectors, np.float32)
        return Examples(
            joined[:, : WIDTHS[0]],
            joined[:, WIDTHS[0] :],
            np.array(record),
            [f"r{number}" for number in range(len(labels))],
            random.integers(300, 5_000, len(labels)),
            labels,
            np.zeros(len(record), bool),
        )

    return make
