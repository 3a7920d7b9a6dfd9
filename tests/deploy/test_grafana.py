"""Grafana's dashboard asks for metrics and labels that there are, in expressions that Prometheus takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.commands import DEPLOY
from needs import missing

from virnucpro_tasks.monitoring.metrics import METRICS

FOLDER = DEPLOY / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "virnucpro.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
LABELS = {spec.full_name: set(spec.labels) for spec in METRICS}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_uses_only_metrics_and_labels_that_exist(expression: str) -> None:
    names = set(re.findall(r"\bvirnucpro_\w+", expression))
    assert names and names <= set(LABELS)
    for by in re.findall(r"by \(([^)]*)\)", expression):
        for name in names:
            assert set(by.split(", ")) <= LABELS[name]


def test_legends_name_labels_that_the_metrics_have() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"\bvirnucpro_\w+", target["expr"])
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= set.union(*(LABELS[name] for name in names))


def test_prometheus_takes_the_expressions(tmp_path: Path) -> None:
    promtool = shutil.which("promtool") or missing("promtool is not installed (apt-get install prometheus)")
    rules = [{"record": f"x:{place}", "expr": text} for place, text in enumerate(EXPRESSIONS)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_panels_have_places_and_numbers_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_provisioning_names_the_folder_of_the_dashboard() -> None:
    files = {file.name: yaml.safe_load(file.read_text()) for file in FOLDER.rglob("*.yaml")}
    assert files["virnucpro.yaml"]["providers"][0]["options"]["path"] == "/etc/grafana/dashboards"
    assert files["prometheus.yaml"]["datasources"][0]["type"] == "prometheus"
