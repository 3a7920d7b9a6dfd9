"""A small deployment, its exporter, and a Prometheus with the alerts of deploy/prometheus; all of them real processes.

Prometheus scrapes and judges every 15 s by the shipped rules, or all goes faster: see `shortened`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import yaml

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.socket_folder import free_port

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
LONGEST_FOR_SECONDS = 30
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
OURS = [sys.executable, "-m", "virnucpro_tasks.cli.main"]
PATIENCE_SECONDS = 600.0
STOP_SECONDS = 30.0


def wait_for(condition: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Poll until `condition` gives something true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing within {seconds:.0f} s")
        time.sleep(0.1)
    return found


def shortened(rules: str, factor: int) -> str:
    """The rules with all their times divided by `factor`: `for`, ranges, and what a metric in seconds is compared with.

    A `for` is LONGEST_FOR_SECONDS at most. No other threshold is changed.
    """
    if factor == 1:
        return rules
    divided = re.sub(r"(_seconds > )(\d+)", lambda found: f"{found[1]}{int(found[2]) / factor:g}", rules)
    divided = re.sub(r"\[(\d+)([smhd])\]", lambda found: f"[{_seconds(found) // factor}s]", divided)
    return re.sub(
        r"(?<=for: )(\d+)([smhd])$",
        lambda found: f"{min(LONGEST_FOR_SECONDS, max(1, _seconds(found) // factor))}s",
        divided,
        flags=re.MULTILINE,
    )


def _seconds(found: re.Match[str]) -> int:
    return int(found[1]) * UNITS[found[2]]


@dataclass
class Scene:
    """Context manager of a broker, the store `folder`/store, processes by name, and Prometheus; all end with it."""

    folder: Path
    factor: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    broker: EmbeddedBroker = field(default_factory=EmbeddedBroker)
    exporter_port: int = field(default_factory=free_port)
    prometheus_port: int = field(default_factory=free_port)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VIRNUCPRO_")}
        return kept | {
            "VIRNUCPRO_STORE": str(self.store),
            "VIRNUCPRO_BROKER_URL": self.broker.url,
            "VIRNUCPRO_BUNDLE": "demo",
        }

    @property
    def pause_seconds(self) -> int:
        """Time between two looks, and between two scrapes."""
        return max(1, 15 // self.factor)

    def __enter__(self) -> Self:
        self.broker.__enter__()
        self.store.mkdir(exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for log in self.folder.glob("*.log"):
                print(f"{log.name}:", log.read_text(errors="replace")[-3_000:], sep="\n", file=sys.stderr)
        for name in [*self.processes]:
            self.stop(name)
        self.broker.__exit__(kind, error, trace)

    def start(self, name: str, *command: str, environment: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=environment or self.environment, cwd=self.folder, stdout=log, stderr=log
            )

    def start_workers(self, name: str, *options: str, command: list[str] = OURS) -> None:
        """Start a supervisor of workers, and wait until they compute."""
        environment = self.environment
        if command is not OURS:
            environment = {key: value for key, value in environment.items() if not key.startswith("PYTHON")}
        self.start(name, *command, "worker", "--name", name, "--no-small-lane", *options, environment=environment)
        wait_for(lambda: self.computing(name))

    def start_exporter(self) -> None:
        self.start("exporter", *OURS, "exporter", "--port", f"{self.exporter_port}", "--every", f"{self.pause_seconds}")

    def start_prometheus(self) -> None:
        """Start Prometheus with the shipped files: another port of the exporter, and maybe other times."""
        folder = self.folder / "prometheus"
        folder.mkdir()
        (folder / RULES.name).write_text(shortened(RULES.read_text(), self.factor))
        settings = yaml.safe_load((RULES.parent / "prometheus.yaml").read_text())
        pause = f"{self.pause_seconds}s"
        settings["global"] |= {"scrape_interval": pause, "evaluation_interval": pause}
        settings["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{self.exporter_port}"]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        self.start(
            "prometheus",
            "prometheus",
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
            "--log.level=warn",
        )
        wait_for(lambda: self.value("virnucpro_store_up") == 1)

    def stop(self, name: str) -> None:
        """End a process and all below it, even if they are stopped."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def computing(self, name: str) -> list[int]:
        """The processes that compute below the workers of a supervisor."""
        try:
            parents = psutil.Process(self.processes[name].pid).children()
            return [child.pid for parent in parents for child in parent.children()]
        except psutil.NoSuchProcess:
            return []

    def run(self, *arguments: str, variables: dict[str, str] | None = None) -> str:
        ended = subprocess.run(
            [*OURS, *arguments],
            env=self.environment | (variables or {}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"{arguments}: exit {ended.returncode}: {ended.stderr}")
        return ended.stdout.strip()

    def submit(self, reads: Path, *flags: str, **variables: str) -> Path:
        """Submit a job; returns its folder."""
        job_id = self.run("submit", str(reads), "--allow-mismatch", "--force-new", *flags, variables=variables)
        return self.store / "jobs" / job_id

    def asked(self, path: str) -> Any:
        """What Prometheus answers; nothing while it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}", timeout=10) as reply:
                return json.load(reply)["data"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def value(self, expression: str) -> float | None:
        """The only value of an expression now; None if there is none."""
        found = self.asked("query?" + urllib.parse.urlencode({"query": expression}))
        return float(found["result"][0]["value"][1]) if found and len(found["result"]) == 1 else None

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        found = self.asked("alerts")
        if found is None:
            raise RuntimeError("Prometheus does not answer")
        return {alert["labels"]["alertname"] for alert in found["alerts"] if alert["state"] == "firing"}

    def ever(self, state: str, seconds: float) -> dict[str, int]:
        """How many evaluations of the last seconds found an alert `pending` or `firing`, by its name."""
        query = f'sum by (alertname) (count_over_time(ALERTS{{alertstate="{state}"}}[{seconds:.0f}s]))'
        found = self.asked("query?" + urllib.parse.urlencode({"query": query}))
        return {sample["metric"]["alertname"]: int(sample["value"][1]) for sample in found["result"]}


def is_done(job: Path) -> bool:
    """Whether a job is finished; raises RuntimeError if it has failed."""
    if (job / "failed.json").exists():
        raise RuntimeError((job / "failed.json").read_text())
    return (job / "run.json").exists()
