"""A small corpus: sixteen groups in four taxa, random bases."""

from __future__ import annotations

import numpy as np
import pytest

from training import sampling
from training.corpus import Corpus
from training.splits import SPLITS, TRAIN, VALIDATION

GROUPS = 16
RECORD_BASES = 3000


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    random = np.random.default_rng(1)
    # Few T: nearly every codon but a stop, so that most chunks have an open frame.
    letters = b"".join(
        random.choice(np.frombuffer(b"ACGTN", np.uint8), RECORD_BASES, p=[0.3, 0.34, 0.34, 0.01, 0.01]).tobytes()
        for _ in range(GROUPS)
    )
    ends = np.arange(1, GROUPS + 1) * RECORD_BASES
    group = np.arange(GROUPS)
    return Corpus(
        letters=letters,
        starts=ends - RECORD_BASES,
        ends=ends,
        virus=group % 2 == 0,
        taxon=group % 4,
        group=group,
        split=np.where(group < 12, SPLITS.index(TRAIN), SPLITS.index(VALIDATION)),
        taxa=["phage", "bacterium", "plant virus", "plant"],
        groups=[f"g{number:02}" for number in range(GROUPS)],
        splits=list(SPLITS),
    )


@pytest.fixture(autouse=True)
def few_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests use some hundred sequences: as many chunks at once as in training would be made for nothing."""
    monkeypatch.setattr(sampling, "_BLOCK", 128)
