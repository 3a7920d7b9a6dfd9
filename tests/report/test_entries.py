"""Entries of run.json that the report is made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from virnucpro_tasks.errors import DamagedError, InputError
from virnucpro_tasks.report.entries import NEEDED, require_entries

FILE = Path("run.json")


@pytest.fixture
def run(results: Path) -> dict[str, Any]:
    return json.loads((results / "run.json").read_bytes())


def test_what_a_job_writes_is_right_and_so_is_an_earlier_version(run: dict[str, Any]) -> None:
    require_entries(run, FILE)
    del run["times"]["shards"], run["times"]["workers"], run["parameters"]["outputs"]
    require_entries(run, FILE)


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_entry_is_named(run: dict[str, Any], name: str) -> None:
    del run[name]
    with pytest.raises(InputError, match=f"does not tell the {name}"):
        require_entries(run, FILE)


@pytest.mark.parametrize(
    ("places", "value"),
    [
        (("versions",), {}),
        (("model",), {"name": None}),
        (("parameters",), []),
        (("inputs",), 7),
        (("inputs", 0, "sha256"), "x"),
        (("inputs", 0, "sample"), "unknown"),
        (("times", "created_at"), None),
        (("times", "finishing_seconds"), "long"),
        (("times", "shards", 0, "started_at"), "yesterday"),
        (("times", "shards", 0, "tokens"), "many"),
        (("times", "workers", 0), 7),
        (("samples",), {"A": {}}),
    ],
)
def test_an_entry_of_another_form_is_damage(run: dict[str, Any], places: tuple[Any, ...], value: Any) -> None:
    entry = run
    for place in places[:-1]:
        entry = entry[place]
    entry[places[-1]] = value
    with pytest.raises(DamagedError):
        require_entries(run, FILE)
