"""Every target accepts any bytes or refuses them with a VirnucproError."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzing.target import json_bytes, survives
from fuzzing.targets import TARGETS, WAS_HERE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).resolve().parent / "corpus"
FOUND = sorted(file for file in CORPUS.glob("*/*"))

pieces = st.one_of(st.binary(max_size=12), st.sampled_from([b"\0", b"\n>", b'"', b"{}", b"[[", b"\x1b[2J", b"9" * 30]))


@pytest.mark.parametrize("name", TARGETS)
def test_good_bytes_with_changes(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(target.seeds), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), pieces), max_size=4))
    def check(seed: bytes, changes: list[tuple[float, int, bytes]]) -> None:
        data = seed
        for place, removed, inserted in changes:
            start = int(place * len(data))
            data = data[:start] + inserted + data[start + removed :]
        survives(target, data)

    check()
    # Not all of it is refused: then the check would be of the first few bytes only.
    assert any(survives(target, seed) for seed in target.seeds)


ODD = (None, True, -1, 10**400, 0.5, float("nan"), "", "\ud800\x1b", [], [[]], {}, {"": {}}, {"\ud800": 1})
JSON_FILES = (
    "job.json",
    "run.json",
    "failed.json",
    "plan.json",
    "quarantine",
    "model card",
    "bundle.json",
    "config.json",
)


def replaced(content: object, odd: object) -> Iterator[object]:
    """Copies of `content`, in each of which one value, at any depth, is replaced by `odd` or removed."""
    yield odd
    if isinstance(content, dict):
        for key, value in content.items():
            yield {name: content[name] for name in content if name != key}
            yield from (content | {key: other} for other in replaced(value, odd))
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from ([*content[:place], other, *content[place + 1 :]] for other in replaced(value, odd))


@pytest.mark.parametrize("name", JSON_FILES)
def test_any_value_replaced_by_another_kind(name: str) -> None:
    target = TARGETS[name]
    for odd in ODD:
        for content in replaced(json.loads(target.seeds[0]), odd):
            survives(target, json_bytes(content))


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_found_once(file: Path) -> None:
    survives(TARGETS[file.parent.name.replace("-", " ")], file.read_bytes())


@pytest.mark.parametrize("name", ["weights", "pickle"])
def test_a_hostile_pickle_is_refused_and_runs_nothing(name: str) -> None:
    (hostile,) = (seed for seed in TARGETS[name].seeds if str(WAS_HERE).encode() in seed)
    assert not survives(TARGETS[name], hostile)
    assert not WAS_HERE.exists()
