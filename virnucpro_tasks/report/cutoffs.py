"""The cutoffs by which the sequences of a job were chosen, for its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def kept_cutoffs(run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The cutoffs that were in force, by the content of run.json; None for results without sequences."""
    outputs = run["parameters"].get("outputs", {})
    by_rate = outputs.get("rate_cutoffs")
    return by_rate if by_rate and has_rates(run) else outputs.get("cutoffs")


def has_rates(run: Mapping[str, Any]) -> bool:
    """Whether the job has false-discovery rates."""
    return run.get("fdr", {}).get("prior") is not None


def kept_score(run: Mapping[str, Any], *, otherwise: float) -> float:
    """The least score of a sequence that is handed on: that of the cutoffs, or of their false-discovery rate.

    1 if no record is within that rate, `otherwise` for results without sequences.
    """
    cutoffs = kept_cutoffs(run)
    if not cutoffs:
        return otherwise
    rate = cutoffs.get("max_fdr")
    if rate is None:
        return float(cutoffs.get("min_score", otherwise))
    level = run["fdr"]["levels"].get(f"{rate:g}")
    return max(float(cutoffs["min_score"]), 1.0 if level is None else level)
