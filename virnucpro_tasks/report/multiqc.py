"""Custom content for MultiQC: what became of the records of a job, or of each of its samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from virnucpro_tasks.reads.tables import Status

COLORS = {
    "virus": ("virus", "#d55e00"),
    "others": ("others", "#0072b2"),
    Status.NO_OPEN_FRAME.value: ("no open frame", "#999999"),
    Status.TOO_SHORT.value: ("too short", "#cccccc"),
    Status.INVALID.value: ("invalid", "#e69f00"),
    Status.QUARANTINED.value: ("quarantined", "#000000"),
}
"""Parts of a bar, each with its name and color: calls, then statuses without one. Told apart by the color-blind too."""

COLUMNS: dict[str, dict[str, Any]] = {
    "records": {"title": "Records", "description": "Records in the input", "format": "{:,.0f}", "scale": "Greys"},
    "virus": {"title": "Virus", "description": "Records called virus", "format": "{:,.0f}", "scale": "Oranges"},
    "virus_percent": {
        "title": "% virus",
        "description": "Records called virus, of those with a score",
        "suffix": "%",
        "max": 100,
        "scale": "Oranges",
    },
    "no_score_percent": {
        "title": "% no score",
        "description": "Records without a score: no open frame, too short, invalid or quarantined",
        "suffix": "%",
        "max": 100,
        "scale": "Reds",
    },
}
"""Columns of MultiQC's general statistics."""

UNSAFE_LETTERS = frozenset("<>&\"'`\\")
"""Letters that MultiQC would write into its page as they are."""


def general_statistics(folder: Path, report: dict[str, Any]) -> bytes:
    """Columns of the table of general statistics, a row for each sample."""
    return _content(
        {
            "id": "virnucpro",
            "plot_type": "generalstats",
            "headers": {
                name: {"namespace": _label(report), "min": 0, "placement": 900 + place} | column
                for place, (name, column) in enumerate(COLUMNS.items())
            },
            "data": {name: _statistics(bar) for name, bar in _bars(report).items()},
        }
    )


def records_graph(folder: Path, report: dict[str, Any]) -> bytes:
    """A bar graph of records by call, or by status if they have none, a bar for each sample."""
    description = "Records by call, or by the reason why they have none."
    if report["demonstration"]:
        description += " The model is a demonstration: draw no conclusions from its calls."
    return _content(
        {
            "id": "virnucpro_records",
            "section_name": _label(report),
            "description": description,
            "plot_type": "bargraph",
            "pconfig": {"id": "virnucpro_records_plot", "title": f"{_label(report)}: records", "ylab": "Records"},
            "categories": {part: {"name": name, "color": color} for part, (name, color) in COLORS.items()},
            "data": _bars(report),
        }
    )


def _label(report: Mapping[str, Any]) -> str:
    return "VirNucPro (DEMONSTRATION)" if report["demonstration"] else "VirNucPro"


def _bars(report: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The number of records of each part of a bar, by sample, in the order of the sample sheet."""
    samples = report.get("samples") or {sample_name(report): report["counts"]}
    return {shown(name): _bar(counts) for name, counts in samples.items()}


def _bar(counts: Mapping[str, Any]) -> dict[str, int]:
    records, virus = counts["records"], counts["virus_records"]
    called = counts.get("called_records", {Status.SCORED.value: records[Status.SCORED.value]})
    calls = {"virus": virus, "others": sum(called.values()) - virus}
    return calls | {part: records[part] - called.get(part, 0) for part in COLORS if part not in calls}


def _statistics(bar: Mapping[str, int]) -> dict[str, float]:
    """The values of COLUMNS; no percentage of nothing."""
    records, scored = sum(bar.values()), bar["virus"] + bar["others"]
    found: dict[str, float] = {"records": records, "virus": bar["virus"]}
    if scored:
        found["virus_percent"] = _percent(bar["virus"], scored)
    if records:
        found["no_score_percent"] = _percent(records - scored, records)
    return found


def _percent(part: int, whole: int) -> float:
    """A part of a whole in percent, with two decimals: 100 only for all of it, 0 only for nothing."""
    value = round(100 * part / whole, 2)
    return min(max(value, 0.01), 99.99) if 0 < part < whole else value


def sample_name(report: Mapping[str, Any]) -> str:
    """The name of a job without samples: its prefix, or else the name of its first input."""
    prefix = report["parameters"]["outputs"]["prefix"].strip("._-")
    return prefix or PurePath(report["inputs"][0]["name"]).name


def shown(name: str) -> str:
    """`name` with '_' for each letter that does harm in a page or cannot be printed."""
    return "".join("_" if letter in UNSAFE_LETTERS or not letter.isprintable() else letter for letter in name)


def _content(section: Mapping[str, Any]) -> bytes:
    return (json.dumps(section, indent=1) + "\n").encode()
