"""Takes pictures of Flower, of the exporter's page and of `virnucpro top` for docs/monitoring.md.

They show a deployment with a quick, a slow and a stuck worker (it stands still by a fault of the tests) and jobs that
are healthy, stuck and failed. The figures are the numbers of series that Prometheus has for each expression of the
dashboard of Grafana at that moment; none where it asks for a job that has waited for a minute, or for GPUs. Needs
Chromium and Prometheus.

python benchmarks/monitoring_pictures.py [--pictures docs/images] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result
from playwright.sync_api import Page
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.socket_folder import free_port

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import chromium
from service.deployment import COMMAND, Deployment, slow_shards, wait_until

ROOT = Path(__file__).resolve().parents[1]
LOGIN = ("operator", "made-up")
DESKTOP = {"width": 1200, "height": 620}
COLUMNS = "80"
STOPS = ("TAA", "TAG", "TGA")

PATIENCE_MS = 200_000

WATCHED_SECONDS = 75.0
"""Time from the last job until the pictures: rates are known, and what stands still counts as stuck."""


def write_reads(file: Path, *, records: int) -> Path:
    """Random records of 600 bases without stop codons in the first frame."""
    dice = random.Random(records)
    codons = ["".join(codon) for codon in itertools.product("ACGT", repeat=3) if "".join(codon) not in STOPS]
    file.write_text("".join(f">read_{n}\n{''.join(dice.choices(codons, k=200))}\n" for n in range(records)))
    return file


@contextmanager
def program(arguments: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(arguments, env=environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def start_worker(deployment: Deployment, name: str, *, seconds: float) -> None:
    """A CPU worker that takes so long for a pack, on a host of that name."""
    deployment.start_workers("cpu", "--coordinators", "0", "--name", name, **slow_shards(seconds))


def submit(deployment: Deployment, name: str, owner: str, reads: Path, *flags: str) -> str:
    return deployment.run("submit", str(reads), "--name", name, *flags, owner=owner).strip()


def play(deployment: Deployment) -> dict[str, str]:
    """Bring about all conditions; returns the ids of the jobs by name."""
    folder = deployment.folder
    deployment.start_workers("none")
    start_worker(deployment, "host3", seconds=3_600)
    jobs = {"stuck_job": submit(deployment, "stuck_job", "carol", write_reads(folder / "few.fasta", records=4))}
    attempts = deployment.store / "jobs" / jobs["stuck_job"] / "attempts"
    wait_until(lambda: any(attempts.glob("000000.*")))
    start_worker(deployment, "host1", seconds=0.5)
    start_worker(deployment, "host2", seconds=6)
    many = write_reads(folder / "many.fasta", records=600)
    jobs["healthy_job"] = submit(deployment, "healthy_job", "alice", many, "--shard-tokens", "2000")
    broken = folder / "broken.fasta"
    broken.write_text(">r\nACGT!!!\n")
    jobs["failed_job"] = submit(deployment, "failed_job", "bob", broken, "--strict")
    return jobs


def photograph_top(deployment: Deployment, picture: Path, page: Page) -> None:
    """What `top --once` prints in a terminal of 80 columns."""
    environment = deployment.environment | {"COLUMNS": COLUMNS}
    said = subprocess.run([*COMMAND, "top", "--once"], env=environment, capture_output=True, text=True, check=True)
    console = Console(record=True, width=int(COLUMNS), file=io.StringIO())
    console.print(said.stdout, markup=False, highlight=False, soft_wrap=True)
    drawn = deployment.folder / "top.svg"
    drawn.write_text(console.export_svg(title="virnucpro top", theme=DEFAULT_TERMINAL_THEME))
    page.goto(drawn.as_uri())
    page.locator("svg").screenshot(path=picture)


def photograph_flower(page: Page, url: str, jobs: dict[str, str], folder: Path) -> None:
    def search(text: str, picture: str) -> None:
        page.goto(f"{url}/tasks")
        page.fill("input[type=search]", text)
        page.wait_for_selector("#tasks-table_info:has-text('filtered')")
        page.screenshot(path=folder / picture)

    page.goto(f"{url}/workers?refresh=1")
    page.wait_for_selector("#workers-table tbody tr:nth-child(4)")
    page.screenshot(path=folder / "flower_workers.png")
    search(f"args:{jobs['healthy_job']}", "flower_job.png")
    search("state:STARTED", "flower_stuck.png")
    search(f"state:FAILURE args:{jobs['failed_job']}", "flower_failed.png")


def series_of_dashboard(url: str) -> list[dict[str, Any]]:
    """How many series Prometheus has for each expression of the dashboard."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "virnucpro.json").read_text())
    found = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            asked = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': target['expr']})}"
            with urllib.request.urlopen(asked) as answer:
                series = json.load(answer)["data"]["result"]
            found.append({"panel": panel["title"], "expression": target["expr"], "series": len(series)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    flower, exporter, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(3))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(EmbeddedBroker())
        deployment = stack.enter_context(Deployment(folder, broker.url))
        deployment.store.mkdir()
        config = folder / "prometheus.yaml"
        targets = {"job_name": "virnucpro", "static_configs": [{"targets": [exporter]}]}
        config.write_text(json.dumps({"global": {"scrape_interval": "2s"}, "scrape_configs": [targets]}))
        stored = f"--storage.tsdb.path={folder / 'tsdb'}"
        variables = deployment.environment | {"FLOWER_BASIC_AUTH": ":".join(LOGIN)}
        for command in (
            [*COMMAND, "flower", "--port", flower.rpartition(":")[2]],
            [*COMMAND, "exporter", "--every", "2", "--port", exporter.rpartition(":")[2]],
            ["prometheus", f"--config.file={config}", stored, f"--web.listen-address={prometheus}"],
        ):
            stack.enter_context(program(command, folder / "programs.log", variables))
        wait_until(lambda: all(answers(f"http://{address}") for address in (flower, exporter, prometheus)))
        jobs = play(deployment)
        time.sleep(WATCHED_SECONDS)
        browser = stack.enter_context(chromium())
        login = {"username": LOGIN[0], "password": LOGIN[1]}
        page = browser.new_page(http_credentials=login, viewport=DESKTOP)
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"http://{exporter}")
        page.screenshot(path=options.pictures / "exporter.png", full_page=True)
        photograph_flower(page, f"http://{flower}", jobs, options.pictures)
        photograph_top(deployment, options.pictures / "top.png", page)
        found = series_of_dashboard(f"http://{prometheus}")
    write_result(
        options.output / "monitoring_pictures",
        {"machine": fingerprint(), "dashboard": found},
        rows=[[one["panel"], f"`{one['expression']}`", str(one["series"])] for one in found],
        header=["panel", "expression", "series"],
    )


if __name__ == "__main__":
    main()
