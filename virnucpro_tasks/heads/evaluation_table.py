"""The table of an evaluation: a row for each part of the records, a column for each figure."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from virnucpro_tasks.heads.baselines import BASELINES

NOT_AVAILABLE = "NA"
ONLY_SCORED = ", scored only"


def write_table(path: Path, report: Mapping[str, Any]) -> None:
    """Write the figures of all records and by length, each also of the scored ones alone, and those of the baselines.

    An interval takes two columns; the column before the last says why a row has no figures, the last is the bundle's
    label.
    """
    rows = list(_rows(report))
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(["records_of", *_flat(rows[0][1]), "bundle"])
        for name, values, is_baseline in rows:
            bundle = NOT_AVAILABLE if is_baseline else report.get("label", NOT_AVAILABLE)
            texts = (NOT_AVAILABLE if value is None else value for value in _flat(values).values())
            writer.writerow([name, *texts, bundle])


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield the name of each row, its figures, and whether they are a baseline's."""
    yield "all", report["all"], False
    yield f"all{ONLY_SCORED}", report["all_scored"], False
    for name, values in report["by_length"].items():
        yield name, values, False
        if name in report["by_length_scored"]:
            yield f"{name}{ONLY_SCORED}", report["by_length_scored"][name], False
    for name, key in BASELINES.items():
        yield f"{name}, all", report[key], True


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """The figures with each interval as two."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if name.endswith("_95"):
            low, high = value or (None, None)
            flat |= {f"{name}_low": low, f"{name}_high": high}
        else:
            flat[name] = value
    return flat
