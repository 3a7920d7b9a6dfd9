from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE

from virnucpro_tasks.chaos import drill
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.settings import Settings


@pytest.mark.parametrize(("same", "code"), [(True, ExitCode.OK), (False, ExitCode.UNEXPECTED)])
def test_it_ends_with_an_error_if_any_result_differs(
    same: bool, code: ExitCode, settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run_drill(settings: Settings, source: Path, **how: Any) -> Any:
        asked.append((settings, source, how))
        return SimpleNamespace(same=same, table=lambda: "the table", as_dict=lambda: {"faults": 3})

    monkeypatch.setattr(drill, "run_drill", run_drill)
    ended = virnucpro("chaos", SAMPLE, "--faults", 3, "--seed", 9, "--workers", 1)
    assert (ended.code, ended.out) == (code, ["the table"])
    used, source, how = asked[0]
    assert (source, how["faults"], how["seed"], how["workers"]) == (SAMPLE, 3, 9, 1)
    # A store of its own, which is gone afterwards
    assert used.store != settings.store and not used.store.exists()
    assert json.loads("\n".join(virnucpro("chaos", SAMPLE, "--json").out)) == {"faults": 3}
