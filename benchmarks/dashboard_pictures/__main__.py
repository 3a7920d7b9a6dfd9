"""Draws the dashboard of Grafana for four states of a deployment: dashboard_{healthy,slow,stuck,failed}.png.

Each state is brought about by real processes, which Prometheus scrapes. There is no Grafana server: a page made of the
components that Grafana publishes (package.json says which) asks Prometheus for the queries in
deploy/grafana/virnucpro.json and draws their answers. What it cannot draw it shows as an error, and this script fails.

Needs Chromium, Prometheus, and Node.js with `npm install --ignore-scripts --legacy-peer-deps` run in this folder.

    python benchmarks/dashboard_pictures [--scene NAME ...] [--pictures docs/images]
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.socket_folder import free_port

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from browser import chromium
from monitoring_pictures import ROOT, answers, program
from scenes import SCENES
from service.deployment import COMMAND, Deployment, wait_until

HERE = Path(__file__).resolve().parent
DASHBOARD = ROOT / "deploy" / "grafana" / "virnucpro.json"
WATCHED_SECONDS = 240.0
"""Time from the last change of a scene until its picture."""

WINDOW = {"width": 1360, "height": 900}
SHOWN_MINUTES = 5
ROWS = 35
"""Rows of the grid that are in the picture; those below are drawn, too, and must not have an error."""

PATIENCE_MS = 60_000


def build_page() -> Path:
    """Bundle the page; returns the folder to serve."""
    subprocess.run(["npm", "run", "--silent", "build"], cwd=HERE, check=True)
    folder = HERE / "build"
    shutil.copy(HERE / "page" / "index.html", folder)
    public = folder / "public" / "build"
    if not public.exists():
        shutil.copytree(HERE / "node_modules" / "@grafana" / "ui" / "dist" / "public", public)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which the files of a folder are served within the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def photograph(page_url: str, prometheus: str, picture: Path, *, until: float) -> list[str]:
    """Draw the dashboard for the SHOWN_MINUTES before `until`; returns what could not be drawn."""
    dashboard = json.loads(DASHBOARD.read_text())
    shown = {"dashboard": dashboard, "prometheus": prometheus, "until": until, "minutes": SHOWN_MINUTES}
    errors: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(f"window.shown = {json.dumps(shown)}")
        page.goto(f"{page_url}/index.html")
        page.wait_for_function("window.finished >= window.shown.dashboard.panels.length")
        page.wait_for_load_state("networkidle")
        # What is outside of the window is not painted.
        page.set_viewport_size(WINDOW | {"height": page.evaluate("document.body.scrollHeight")})
        page.wait_for_timeout(1_000)
        end = page.evaluate(f"document.querySelector('[data-row=\"{ROWS}\"]').getBoundingClientRect().top")
        page.screenshot(path=picture, clip=WINDOW | {"x": 0, "y": 0, "height": end})
        return [*errors, *page.evaluate("window.problems")]


@contextmanager
def watched(deployment: Deployment) -> Iterator[str]:
    """The address of a Prometheus that scrapes the exporter of a deployment."""
    folder = deployment.folder
    exporter, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(2))
    config = folder / "prometheus.yaml"
    targets = {"job_name": "virnucpro", "static_configs": [{"targets": [exporter]}]}
    config.write_text(json.dumps({"global": {"scrape_interval": "5s"}, "scrape_configs": [targets]}))
    stored = f"--storage.tsdb.path={folder / 'tsdb'}"
    log = folder / "programs.log"
    looks = [*COMMAND, "exporter", "--every", "5", "--port", exporter.rpartition(":")[2]]
    scrapes = ["prometheus", f"--config.file={config}", stored, f"--web.listen-address={prometheus}"]
    with program(looks, log, deployment.environment), program(scrapes, log):
        wait_until(lambda: all(answers(f"http://{address}") for address in (exporter, prometheus)))
        yield f"http://{prometheus}"


def draw(name: str, page_url: str, picture: Path) -> list[str]:
    """Bring about a scene and take its picture; returns what could not be drawn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(EmbeddedBroker())
        deployment = stack.enter_context(Deployment(folder, broker.url))
        deployment.store.mkdir()
        prometheus = stack.enter_context(watched(deployment))
        SCENES[name](deployment)
        time.sleep(WATCHED_SECONDS)
        return photograph(page_url, prometheus, picture, until=time.time())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scene", action="append", choices=[*SCENES], help="one of them; may be repeated")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args()
    with served(build_page()) as page_url:
        problems = [
            f"{name}: {text}"
            for name in options.scene or SCENES
            for text in draw(name, page_url, options.pictures / f"dashboard_{name}.png")
        ]
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
