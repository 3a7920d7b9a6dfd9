"""Grafana's dashboard asks for metrics and labels that there are, in expressions that Prometheus takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.commands import DEPLOY
from deploy.redis_server import free_port
from monitoring.looks import coordinator, gpu_worker, look, open_job, troubled
from needs import missing

from virnucpro_tasks.monitoring.look import SLOW_SHARE, Look
from virnucpro_tasks.monitoring.metrics import METRICS
from virnucpro_tasks.monitoring.serve import LastLook, keep_looking, serving
from virnucpro_tasks.queue.waiting import QUIET_SECONDS
from virnucpro_tasks.queue.work_counts import WorkCounts

FOLDER = DEPLOY / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "virnucpro.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
LABELS = {spec.full_name: set(spec.labels) for spec in METRICS}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_uses_only_metrics_and_labels_that_exist(expression: str) -> None:
    names = set(re.findall(r"\bvirnucpro_\w+", expression))
    assert names and names <= set(LABELS)
    of_all = set.union(*(LABELS[name] for name in names))
    for by in re.findall(r"by \(([^)]*)\) \((\w*)", expression):
        labels, metric = set(by[0].split(", ")), by[1]
        assert labels <= LABELS.get(metric, of_all)


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


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes a deployment with a busy worker, a dead one, and a job that waits."""
    program = shutil.which("prometheus") or missing("prometheus is not installed (apt-get install prometheus)")
    folder, port, last, stopping = tmp_path_factory.mktemp("prometheus"), free_port(), LastLook(), threading.Event()
    waits = open_job("run_8", job_id="20270101t000000z-bbbbbbbbbbbbbbbb", running=(), idle_seconds=90.0)

    def works() -> Look:
        done = int(10 * time.monotonic())
        counts = WorkCounts({"embedded": done}, float(done), 100 * done, 900 * done, 1_000 * done)
        workers = (coordinator(), gpu_worker(counts=counts), troubled().workers[1])
        return look(open_jobs=(open_job(), waits), workers=workers)

    with serving(last, address="127.0.0.1", port=0, every_seconds=1) as server:
        targets = {"job_name": "virnucpro", "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"]}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [targets]}
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        looking = threading.Thread(target=keep_looking, args=(works, last, stopping), kwargs={"every_seconds": 0.2})
        looking.start()
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)
            stopping.set()
            looking.join()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_prometheus_has_something_for_each_panel(prometheus: str, expression: str) -> None:
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    for _ in range(300):
        # Not up yet, or no second scrape yet, which a rate needs
        with suppress(OSError), urllib.request.urlopen(url, timeout=60) as answer:
            if json.load(answer)["data"]["result"]:
                return
        time.sleep(0.2)
    pytest.fail("Prometheus has no series")


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


def test_numbers_and_tables_are_as_of_now_whatever_time_range_is_chosen() -> None:
    # The last value of a range is one of the past, as of a state in which no job is any more.
    targets = {panel["type"]: panel["targets"] for panel in DASHBOARD["panels"]}
    assert set(targets) == {"stat", "table", "timeseries"}
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert target.get("instant", False) is (panel["type"] != "timeseries")
            assert (target.get("format") == "table") is (panel["type"] == "table")


def test_columns_of_tables_are_named_and_those_with_a_look_of_their_own_exist() -> None:
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "table":
            continue
        (organized,) = (one["options"] for one in panel["transformations"] if one["id"] == "organize")
        values = {f"Value #{target['refId']}" for target in panel["targets"]}
        assert values == {name for name in [*organized["renameByName"], *organized["excludeByName"]] if "#" in name}
        labels = {label for names in LABELS.values() for label in names}
        shown = {*organized["renameByName"].values(), *labels}
        assert {rule["matcher"]["options"] for rule in panel["fieldConfig"]["overrides"]} <= shown


def test_thresholds_are_those_of_the_alerts_and_of_slow_workers() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    alerts = {rule["alert"]: rule["expr"] for group in rules for rule in group["rules"]}
    (stuck,) = (panel for panel in DASHBOARD["panels"] if panel["title"] == "Is anything stuck?")
    (slow,) = (panel for panel in DASHBOARD["panels"] if panel["title"] == "Is a worker slow?")
    (of_jobs,) = (rule["properties"][0]["value"] for rule in stuck["fieldConfig"]["overrides"])
    steps = {step["color"]: step["value"] for step in stuck["fieldConfig"]["defaults"]["thresholds"]["steps"]}
    steps_of_jobs = {step["color"]: step["value"] for step in of_jobs["steps"]}
    assert alerts["VirnucproStandsStill"] == f"virnucpro_worker_quiet_seconds > {steps['red']}"
    assert steps["orange"] == QUIET_SECONDS
    assert alerts["VirnucproNobodyWorks"] == f"virnucpro_job_waiting_seconds > {steps_of_jobs['red']}"
    assert slow["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"color": "green", "value": SLOW_SHARE}
