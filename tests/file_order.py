"""The order in which files of tests begin, and which of them go to one process."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent

SHARED_DEPLOYMENT = "serving"
"""The fixture of service tests that is a deployment for all of them."""

TOGETHER = {
    "tests/embed/": "transformers",
    "tests/parity/": "transformers",
    "tests/reference/": "transformers",
    "tests/heads/": "scikit-learn",
    "tests/benchmarks/": "scikit-learn",
    "tests/report/": "results of a job",
    "tests/jobs/": "vectors of the sample",
    "tests/pipeline/": "vectors of the sample",
    "tests/results/": "vectors of the sample",
}
"""Folders, and what their tests have in common that takes long to load or to make."""

WAITING = "tests/service/"
"""The folder of tests that wait for processes more than they compute."""

SECONDS, SLOW_SECONDS = 0.12, 10.0
WAITING_SECONDS, SLOW_WAITING_SECONDS = 5.0, 20.0
"""About how long a test takes, and one that is marked slow; and the same where it waits."""


def group_of(file: str) -> str:
    """What is done once for a file of tests and others, which therefore go to one process; else the file itself."""
    text = _text(TESTS.parent / file)
    if f"{SHARED_DEPLOYMENT}: Deployment" in text:
        return SHARED_DEPLOYMENT
    if 'importorskip("transformers")' in text:
        return "transformers"
    return next((name for folder, name in TOGETHER.items() if file.startswith(folder)), file)


@cache
def _text(file: Path) -> str:
    return file.read_text()


def in_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """Groups that wait for processes and groups that compute in turn, each from the longest to the shortest.

    So about as many processes of a run wait at any time, while others have the cores, and all end at the same time.
    """
    groups = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        groups[group_of(item.nodeid.partition("::")[0])].append(item)
    seconds = {name: sum(map(_seconds, group)) for name, group in groups.items()}
    longest_first = sorted(groups, key=lambda name: -seconds[name])
    waiting = [name for name in longest_first if _waits(groups[name][0])]
    computing = [name for name in longest_first if name not in waiting]
    # The share of its kind that begins before it; the last ones compute, as they are short.
    place: dict[str, float] = {}
    for names, end in ((waiting, 0.9), (computing, 1.0)):
        total = sum(seconds[name] for name in names)
        before = 0.0
        for name in names:
            place[name] = end * before / total
            before += seconds[name]
    return [item for name in sorted(place, key=place.__getitem__) for item in groups[name]]


def _waits(item: pytest.Item) -> bool:
    return item.nodeid.startswith(WAITING)


def _seconds(item: pytest.Item) -> float:
    if item.get_closest_marker("slow"):
        return SLOW_WAITING_SECONDS if _waits(item) else SLOW_SECONDS
    return WAITING_SECONDS if _waits(item) else SECONDS
