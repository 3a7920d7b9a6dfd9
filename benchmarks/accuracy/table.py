"""Writes rows as a tab-separated table and as Markdown."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NOT_AVAILABLE = "NA"
SHOWN = {
    "lengths": "contigs of",
    "part": "part",
    "tool": "tool",
    "records": "contigs",
    "scored": "scored",
    "auroc": "AUROC",
    "recall_at_5_percent": "recall at 5 % FP",
    "recall_at_10_percent_fdr": "recall at 10 % FDR",
    "recall_of_calls": "recall of calls",
    "false_positive_rate_of_calls": "FP rate of calls",
    "calibration_error": "calibration error",
}
"""Columns of the Markdown table, a part of those of the other, by their names there."""


def write_tsv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the same keys; an interval (a pair under a name that ends in `_95`) takes two columns."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        for number, row in enumerate(rows):
            flat = _flat(row)
            if not number:
                writer.writerow(flat)
            writer.writerow(NOT_AVAILABLE if value is None else value for value in flat.values())


def markdown(rows: Sequence[Mapping[str, Any]], shown: Mapping[str, str] = SHOWN) -> str:
    """A Markdown table of the columns `shown`, with the interval of a figure behind it."""
    lines = [list(shown.values()), ["---"] * len(shown)]
    lines += [[_text(row, name) for name in shown] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value is None:
        return NOT_AVAILABLE
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    interval = row.get(f"{name}_95")
    return f"{text} ({interval[0]:.2f} to {interval[1]:.2f})" if interval else text


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("_95"):
            flat[f"{name}_low"], flat[f"{name}_high"] = value or (None, None)
        else:
            flat[name] = value
    return flat
