from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.heads.open_stretches import longest_open_share

STOPS = ("TAA", "TAG", "TGA")
PAIRS = str.maketrans("ACGT", "TGCA")


def by_codons(sequence: str) -> float:
    """The same by reading one codon after another."""
    longest = 0
    for strand in (sequence, sequence.translate(PAIRS)[::-1]):
        for offset in range(3):
            run = 0
            for place in range(offset, len(strand) - 2, 3):
                codon = strand[place : place + 3]
                run = 0 if codon in STOPS or set(codon) - set("ACGT") else run + 1
                longest = max(longest, run)
    return longest / (len(sequence) // 3)


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_stretch_over_six_frames(seed: int) -> None:
    random = np.random.default_rng(seed)
    sequence = "".join(random.choice(list("ACGTN"), int(random.integers(3, 300)), p=[0.25, 0.24, 0.24, 0.25, 0.02]))
    assert longest_open_share(sequence.encode()) == by_codons(sequence)


def test_ends_of_the_scale() -> None:
    assert longest_open_share(b"AC") == 0 and longest_open_share(b"") == 0 and longest_open_share(b"NNNNNN") == 0
    assert longest_open_share(b"ACC" * 9) == 1
