"""Comparison of the scores of records with those of their reverse complements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.metrics import THRESHOLD

_LETTERS = b"ACGTRYKMSWBDHVN"
_COMPLEMENTS = bytes.maketrans(_LETTERS, b"TGCAYRMKSWVHDBN")


def reverse_complement(sequence: bytes) -> bytes:
    """The other strand of upper-case DNA, IUPAC ambiguity codes included, from its 5' end."""
    return sequence.translate(_COMPLEMENTS)[::-1]


def write_reverse_complements(path: Path, ids: Sequence[str], sequences: Sequence[bytes]) -> None:
    """Write the reverse complements of records as FASTA, in order."""
    with path.open("wb") as handle:
        for name, sequence in zip(ids, sequences, strict=True):
            handle.write(b">%b\n%b\n" % (name.encode(errors="replace"), reverse_complement(sequence)))


def strand_differences(forward: NDArray[np.float64], reverse: NDArray[np.float64]) -> dict[str, Any]:
    """How scores (n,) of records and of their reverse complements differ, NaN for one without a score.

    The numbers of records with a score on both strands and on one alone, of calls that differ among the first, and the
    mean, the 95th percentile and the largest of |difference|, None if no record has both.
    """
    both = ~np.isnan(forward) & ~np.isnan(reverse)
    differences = np.abs(forward[both] - reverse[both])
    calls = (forward[both] >= THRESHOLD) != (reverse[both] >= THRESHOLD)
    some = len(differences) > 0
    return {
        "records": len(forward),
        "scored_on_both": int(both.sum()),
        "scored_on_one": int((np.isnan(forward) != np.isnan(reverse)).sum()),
        "calls_that_differ": int(calls.sum()),
        "mean_difference": round(float(differences.mean()), 6) if some else None,
        "difference_95_percent": round(float(np.quantile(differences, 0.95)), 6) if some else None,
        "largest_difference": round(float(differences.max()), 6) if some else None,
    }
