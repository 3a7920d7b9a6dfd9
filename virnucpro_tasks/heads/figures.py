"""Figures of a part of the labelled records, with intervals, or the reason why there are none."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.errors import counted
from virnucpro_tasks.heads.intervals import RESAMPLED, intervals, mean_interval, share_interval
from virnucpro_tasks.heads.metrics import THRESHOLD, Metrics, length_classes
from virnucpro_tasks.heads.scored_records import ScoredRecords

FEWEST_RECORDS = 20
"""Least number of records for a figure."""

FEW_GROUPS = 10
"""Number of groups of a class below which a warning is given: its figures may be those of a few organisms."""


def figures(found: ScoredRecords, *, seed: int) -> dict[str, Any]:
    """Metrics by name, and their intervals from resampling groups by name with `_95`; None where there is no figure.

    `reason` says why none is given, or is None.
    """
    virus = found.virus
    if reason := too_few(len(virus)):
        return without_figures(found, reason)
    ranges = intervals(found.scores, virus, found.groups, seed=seed)
    measured = Metrics.of(found.scores, virus).as_dict()
    return measured | {f"{name}_95": ranges[name] for name in RESAMPLED} | {"reason": None}


def without_figures(found: ScoredRecords, reason: str) -> dict[str, Any]:
    """The numbers of records, the reason, and None for every figure of `figures`."""
    numbers = {
        "records": len(found.labels),
        "viruses": int(found.virus.sum()),
        "scored": int(found.is_scored.sum()),
        "reason": reason,
    }
    metrics = (field.name for field in fields(Metrics))
    return dict.fromkeys((*metrics, *(f"{name}_95" for name in RESAMPLED))) | numbers


def too_few(records: int) -> str | None:
    """Why no figure is given of so many records; None if one is."""
    if records >= FEWEST_RECORDS:
        return None
    return f"{counted(records, 'record')}, fewer than {FEWEST_RECORDS}"


def by_length_class(found: ScoredRecords, *, seed: int) -> dict[str, dict[str, Any]]:
    """Figures of the records of each length class that has any."""
    return {name: figures(found.of(inside), seed=seed) for name, inside in length_classes(found.lengths)}


def by_taxon(found: ScoredRecords, *, seed: int) -> dict[str, dict[str, Any]]:
    """For each taxon, its label and numbers, what share of its records is called virus, their mean score, and AUROC.

    AUROC is that of its records against all records of the other class; a taxon with records of both has an entry for
    each class, the second named with the class.
    """
    members: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for record, label in enumerate(found.labels):
        if label.taxon:
            members[label.taxon, label.virus].append(record)
    virus = found.virus
    report = {}
    for (taxon, is_virus), records in sorted(members.items()):
        chosen = np.zeros(len(virus), dtype=bool)
        chosen[records] = True
        entry = _called(found.of(chosen), is_virus=is_virus, seed=seed)
        against = chosen | (virus != is_virus)
        entry["auroc"] = None
        if entry["reason"] is None and too_few(int((virus != is_virus).sum())) is None:
            entry["auroc"] = Metrics.of(found.scores[against], virus[against]).as_dict()["auroc"]
        name = taxon if (taxon, not is_virus) not in members or is_virus else f"{taxon} (others)"
        report[name] = entry
    return report


def by_group(found: ScoredRecords, *, seed: int) -> dict[str, Any]:
    """Share of the records called virus, by class with each group counting the same, and by larger group.

    `viruses` and `others` have the number of groups and the mean over them with its interval; `groups` has those with
    FEWEST_RECORDS or more, and `smaller_groups` is how many others there are.
    """
    virus, called = found.virus, _calls(found)
    members: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for record, (group, is_virus) in enumerate(zip(found.groups, virus.tolist(), strict=True)):
        members[group, is_virus].append(record)
    report: dict[str, Any] = {}
    for name, kind in (("viruses", True), ("others", False)):
        shares = np.array([called[records].mean() for (_, one), records in sorted(members.items()) if one == kind])
        reason = too_few(int((virus == kind).sum()))
        report[name] = {
            "groups": len(shares),
            "called_virus": None if reason else round(float(shares.mean()), 4),
            "called_virus_95": None if reason else mean_interval(shares, seed=seed),
            "reason": reason,
        }
    larger = {group: records for group, records in sorted(members.items()) if too_few(len(records)) is None}
    report["groups"] = {
        group: {
            "virus": is_virus,
            "records": len(records),
            "scored": int(found.is_scored[records].sum()),
            "called_virus": round(float(called[records].mean()), 4),
        }
        for (group, is_virus), records in larger.items()
    }
    return report | {"smaller_groups": len(members) - len(larger)}


def group_warnings(found: ScoredRecords) -> list[str]:
    """A warning for each class that has few groups."""
    virus = found.virus
    groups = np.array(found.groups)
    numbers = {name: len(set(groups[virus == kind].tolist())) for name, kind in (("viruses", True), ("others", False))}
    return [
        f"only {counted(number, 'group')} of {name}: its figures say little of other organisms"
        for name, number in numbers.items()
        if number < FEW_GROUPS
    ]


def _calls(found: ScoredRecords) -> NDArray[np.bool_]:
    """Whether each record is called virus; one without a score is not."""
    return np.nan_to_num(found.scores, nan=-1.0) >= THRESHOLD


def _called(found: ScoredRecords, *, is_virus: bool, seed: int) -> dict[str, Any]:
    """Numbers of records of one class, and the share of them that is called virus."""
    called, scored = _calls(found), found.is_scored
    reason = too_few(len(called))
    return {
        "virus": is_virus,
        "records": len(called),
        "scored": int(scored.sum()),
        "groups": len(set(found.groups)),
        "called_virus": None if reason else round(float(called.mean()), 4),
        "called_virus_95": None if reason else share_interval(called, found.groups, seed=seed),
        "mean_score": None if reason or not scored.any() else round(float(found.scores[scored].mean()), 4),
        "reason": reason,
    }
