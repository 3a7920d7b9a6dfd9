"""Vectors of an earlier tool go through a deployed queue as through a run of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from earlier.folders import Computed, Folder
from service.deployment import Deployment

pytestmark = [pytest.mark.service, pytest.mark.slow]


def test_workers_compute_only_what_they_compare(
    serving: Deployment, folder_of: Callable[..., Folder], earlier_run: Computed, tmp_path: Path
) -> None:
    folder = folder_of("v1")
    imported, computed = tmp_path / "imported", tmp_path / "computed"
    serving.run("submit", "--import", str(folder.root), str(earlier_run.input), "--output", str(imported))
    serving.run("submit", str(earlier_run.input), "--output", str(computed))
    taken, anew = (json.loads((out / "run.json").read_bytes()) for out in (imported, computed))
    assert taken["imported"]["found"] == {"nucleotide": taken["counts"]["frames"], "protein": taken["counts"]["frames"]}
    engine = taken["engine"]
    assert engine["imported"] > 100 and engine["imported"] + engine["compared"] == 2 * taken["counts"]["frames"]
    assert "imported" not in anew["engine"]
    # Half precision of the earlier tool changes no call here.
    for name in ("prediction_results_highestscore.csv", "virus_regions.bed"):
        ids = [[line.split("\t")[:2] for line in (out / name).read_text().splitlines()] for out in (imported, computed)]
        assert ids[0] == ids[1]
