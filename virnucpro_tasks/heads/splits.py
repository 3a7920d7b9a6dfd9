"""Division of labelled records into training, validation, calibration and test: a group of similar ones stays whole."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.errors import InputError, counted
from virnucpro_tasks.heads.labels import CALIBRATE, PARTS, TEST, TRAIN, VALIDATION, Label

SHARES = {VALIDATION: 0.1, CALIBRATE: 0.2, TEST: 0.2}
"""Shares of the records of each class; the rest is for training."""


def split_records(labels: Sequence[Label], *, seed: int) -> dict[str, NDArray[np.int64]]:
    """Indices of the records by part: the part that their label names, or else one chosen here.

    Groups of a class are dealt in an order that depends on `seed` and their names alone, each to the part that lacks
    most of its share. A group with both labels is one group. Raises InputError if a class has fewer than four groups,
    if only some labels name a part, if a group is in two of them, or if a part lacks a class.
    """
    if any(label.part for label in labels):
        return _stated_parts(labels)
    by_group: dict[str, list[int]] = defaultdict(list)
    for record, label in enumerate(labels):
        by_group[label.group].append(record)
    parts: dict[str, list[int]] = {part: [] for part in PARTS}
    shares = {TRAIN: 1 - sum(SHARES.values())} | SHARES
    for virus in (True, False):
        groups = [name for name, records in by_group.items() if labels[records[0]].virus == virus]
        if len(groups) < len(parts):
            raise InputError(
                f"only {counted(len(groups), 'group')} of viruses"
                if virus
                else f"only {counted(len(groups), 'group')} of others",
                file="the labelled records",
                hint=f"{len(parts)} are needed, so that training, validation, calibration and test have different ones",
            )
        total = sum(len(by_group[name]) for name in groups)
        dealt = dict.fromkeys(parts, 0)
        # Large groups first: the small ones then even out what they left uneven.
        for name in sorted(groups, key=lambda name: (-len(by_group[name]), _order(name, seed))):
            part = max(parts, key=lambda part: shares[part] - dealt[part] / total)
            dealt[part] += len(by_group[name])
            parts[part] += by_group[name]
    return {part: np.array(sorted(records), dtype=np.int64) for part, records in parts.items()}


def _stated_parts(labels: Sequence[Label]) -> dict[str, NDArray[np.int64]]:
    part_of: dict[str, str] = {}
    for label in labels:
        if not label.part:
            raise _bad_parts(
                f"records of group {label.group!r} have no part, others do", hint="name it for all or none"
            )
        if part_of.setdefault(label.group, label.part) != label.part:
            raise _bad_parts(
                f"group {label.group!r} is in the parts {part_of[label.group]} and {label.part}",
                hint="similar records must not be in two parts",
            )
    parts = {part: np.flatnonzero([label.part == part for label in labels]).astype(np.int64) for part in PARTS}
    for part in PARTS:
        if len({label.virus for label in labels if label.part == part}) < 2:
            raise _bad_parts(f"the part {part} does not have both classes", hint=f"all of {', '.join(PARTS)} need them")
    return parts


def _bad_parts(what: str, *, hint: str) -> InputError:
    return InputError(what, file="the labelled records", hint=hint)


def _order(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
