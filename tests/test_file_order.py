"""Which tests begin first, and which go to one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from file_order import group_of, in_turn


@dataclass(frozen=True)
class Item:
    """A test, as far as its order depends on it."""

    nodeid: str
    mark: str = ""

    def get_closest_marker(self, name: str) -> bool:
        return name == self.mark


def several(file: str, count: int, mark: str = "") -> list[Item]:
    return [Item(f"tests/{file}::test_{number}", mark) for number in range(count)]


def ordered(*files: list[Item]) -> list[str]:
    """The files of tests in their order, each as often as its tests come together."""
    items: list[Any] = [item for file in files for item in file]
    names = [item.nodeid.partition("::")[0].removeprefix("tests/") for item in in_turn(items)]
    assert sorted(names) == sorted(item.nodeid.partition("::")[0].removeprefix("tests/") for item in items)
    return [name for name, before in zip(names, ["", *names], strict=False) if name != before]


def test_the_longest_begin_first_and_those_that_wait_are_among_those_that_compute() -> None:
    waiting = [
        several("service/test_grace.py", 1, "slow"),
        several("service/test_poison.py", 3),
        several("service/test_hang.py", 2, "slow"),
    ]
    computing = [
        several("test_keys.py", 20),
        several("test_paths.py", 80),
        several("test_errors.py", 40),
        several("test_build.py", 1, "slow"),
    ]
    assert ordered(*computing, *waiting) == [
        *("service/test_hang.py", "test_build.py", "test_paths.py", "service/test_grace.py"),
        *("service/test_poison.py", "test_errors.py", "test_keys.py"),
    ]


def test_what_goes_to_one_process_comes_together() -> None:
    assert ordered(
        several("jobs/test_job.py", 1), several("test_keys.py", 1), several("pipeline/test_score.py", 1)
    ) == [
        *("jobs/test_job.py", "pipeline/test_score.py", "test_keys.py"),
    ]


def test_files_that_start_or_load_the_same_go_to_one_process() -> None:
    groups = {
        "service/test_pipeline.py": "serving",
        "models/test_convert_published.py": "transformers",
        "heads/test_mlp.py": "scikit-learn",
        "test_keys.py": "tests/test_keys.py",
    }
    assert {file: group_of(f"tests/{file}") for file in groups} == groups
