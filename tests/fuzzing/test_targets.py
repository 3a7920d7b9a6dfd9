"""Every way in for bytes takes them or refuses them with an error of ours, whatever they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing.targets import TARGETS, WAS_HERE, survives
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


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_found_once(file: Path) -> None:
    survives(TARGETS[file.parent.name.replace("-", " ")], file.read_bytes())


@pytest.mark.parametrize("name", ["weights", "pickle"])
def test_a_hostile_pickle_is_refused_and_runs_nothing(name: str) -> None:
    (hostile,) = (seed for seed in TARGETS[name].seeds if str(WAS_HERE).encode() in seed)
    assert not survives(TARGETS[name], hostile)
    assert not WAS_HERE.exists()
