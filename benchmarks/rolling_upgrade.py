"""Upgrades the workers in the middle of three jobs, on one Redis and one store, and tells who computed what.

Two versions are built as wheels from two revisions of this repository, with version numbers of their own, and installed
into two environments that share all dependencies with this one. Then:

    1. two sets of workers of the old version (each one CPU and a coordinator) take three jobs of the old client
    2. in the middle of these a set of the new version starts, and its client submits three jobs
    3. one set of the old version is stopped (SIGTERM), the other one when the old jobs are done
    4. the old client submits another job: it waits, and says for whom; the new client lets it begin anew
    5. the new workers are stopped, old ones start, and take two jobs: the way back

Each job is compared with the same input on workers of its version alone.

    python benchmarks/rolling_upgrade.py [--old HEAD:1.0.1] [--new HEAD:1.0.2] [--last-step 5] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.system.files import file_sha256

ROOT = Path(__file__).resolve().parents[1]
INPUT = ROOT / "tests" / "short.fasta"
SHARD_FLAGS = ("--expected-length", "150", "--shard-tokens", "200", "--allow-mismatch", "--force-new")
JOBS = 3
TABLES = ("records.tsv", "chunks.tsv", "virnucpro.log")


def wait_for(condition: Callable[[], Any], seconds: float = 900) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing within the time"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Installation:
    """A version of the package in an environment of its own."""

    version: str
    revision: str
    python: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-m", "virnucpro_tasks.cli.main", *arguments]


def install(name: str, wanted: str, folder: Path) -> Installation:
    """Build `REVISION:VERSION` and install it below `folder`; the dependencies are those of this environment."""
    revision, _, version = wanted.rpartition(":")
    tree, environment = folder / f"{name}-tree", folder / f"{name}-environment"
    tree.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive, check=True)
    for file, pattern in (
        ("pyproject.toml", '(?m)^version = ".*"'),
        ("virnucpro_tasks/__init__.py", '__version__ = ".*"'),
    ):
        text = (tree / file).read_text()
        assignment = re.search(pattern, text)[0].split("=")[0]  # type: ignore[index]
        (tree / file).write_text(re.sub(pattern, f'{assignment}= "{version}"'.replace("  ", " "), text, count=1))
    flags = ("--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", *flags, "--wheel-dir", str(folder / name), str(tree)], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    packages = next(environment.glob("lib/python*/site-packages"))
    (wheel,) = (folder / name).glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--quiet", "--no-index", "--target", str(packages), str(wheel)], check=True
    )
    (packages / "shared.pth").write_text(f"{_dependencies(folder)}\n")
    commit = subprocess.run(["git", "rev-parse", "--short", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return Installation(version, commit.stdout.decode().strip(), environment / "bin" / "python")


def _dependencies(folder: Path) -> Path:
    """A folder with all installed packages but this one."""
    shared = folder / "shared"
    if not shared.exists():
        shared.mkdir()
        for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
            if "virnucpro" not in entry.name and entry.suffix != ".pth":
                (shared / entry.name).symlink_to(entry)
    return shared


@dataclass
class Deployment:
    """A Redis, a store, and workers of several versions; all processes end with the block."""

    store: Path
    broker_url: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIRNUCPRO_", "PYTHON"))}
        return kept | {
            "VIRNUCPRO_STORE": str(self.store),
            "VIRNUCPRO_BROKER_URL": self.broker_url,
            "VIRNUCPRO_BUNDLE": "demo",
            "VIRNUCPRO_LEASE_SECONDS": "5",
            "VIRNUCPRO_WATCH_SECONDS": "2",
            "VIRNUCPRO_SOFT_SHUTDOWN_SECONDS": "2",
        }

    def start(self, installation: Installation, name: str) -> None:
        with (self.store.parent / "workers.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                installation.command("worker", "--devices", "cpu", "--coordinators", "1", "--name", name),
                env=self.environment,
                cwd=self.store.parent,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, *names: str) -> None:
        for name in names or tuple(self.running):
            process = self.running.pop(name)
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def run(self, installation: Installation, *arguments: str) -> tuple[str, str]:
        ended = subprocess.run(
            installation.command(*arguments),
            env=self.environment,
            cwd=self.store.parent,
            capture_output=True,
            check=True,
        )
        return ended.stdout.decode().strip(), ended.stderr.decode().strip()

    def submit(self, installation: Installation) -> Path:
        return self.store / "jobs" / self.run(installation, "submit", str(INPUT), *SHARD_FLAGS)[0]


@contextmanager
def deployment() -> Iterator[Deployment]:
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        found = Deployment(Path(folder) / "store", broker.url)
        try:
            yield found
        except BaseException:
            log = Path(folder) / "workers.log"
            print(log.read_text()[-6000:] if log.exists() else "no worker was started", file=sys.stderr)
            raise
        finally:
            for process in found.running.values():
                process.terminate()
            for process in found.running.values():
                process.wait(60)


def is_done(job: Path) -> bool:
    assert not (job / "failed.json").exists(), (job / "failed.json").read_text()
    return (job / "run.json").exists()


def embedded(job: Path) -> int:
    return len(list((job / "embeddings").glob("[0-9]*.safetensors")))


def digests(job: Path) -> dict[str, str]:
    """SHA-256 of the files of the results that are the same for equal work of one version."""
    return {name: file_sha256(job / "results" / name) for name in TABLES}


def quiet_digests(installation: Installation) -> dict[str, str]:
    """SHA-256 of the tables of the input on workers of this version alone."""
    with deployment() as alone:
        alone.start(installation, "alone")
        job = alone.submit(installation)
        wait_for(lambda: is_done(job))
        return digests(job)


def told(job: Path, phase: str, submitted_by: Installation, expected: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What the finished job says of who worked at it, and whether that is true."""
    report = json.loads((job / "run.json").read_text())
    workers: Counter[str] = Counter()
    for entry in report["times"]["workers"]:
        workers[entry["worker"].partition("@")[2]] += entry["shards"]
    versions = {entry.get("version", "") for entry in report["times"]["workers"]} - {""}
    computed_by = {name.partition("-")[0] for name in workers}
    stated = report["versions"]["virnucpro-tasks"]
    return {
        "phase": phase,
        "submitted_by": submitted_by.version,
        "shards_by_worker": dict(sorted(workers.items())),
        "computed_by": sorted(computed_by),
        "versions_of_workers": sorted(versions),
        "version_in_run_json": stated,
        "build_in_run_json": report.get("build", ""),
        "run_json_is_true": len(computed_by) == 1 and versions <= {stated},
        "equal_to_quiet_run": digests(job) == expected[stated],
    }


def upgrade(old: Installation, new: Installation, *, last_step: int) -> dict[str, Any]:
    expected = {each.version: quiet_digests(each) for each in (old, new)}
    rows: list[dict[str, Any]] = []
    words, begun = [], ""
    with deployment() as shared:
        for name in ("old-a", "old-b"):
            shared.start(old, name)
        first = [shared.submit(old) for _ in range(JOBS)]
        wait_for(lambda: all(embedded(job) >= 5 for job in first))
        shared.start(new, "new-a")
        progress = [embedded(job) for job in first]
        second = [shared.submit(new) for _ in range(JOBS)]
        wait_for(lambda: any(embedded(job) for job in second) or all(map(is_done, first)))
        shared.stop("old-a")
        wait_for(lambda: all(map(is_done, first)))
        shared.stop("old-b")
        wait_for(lambda: all(map(is_done, second)))
        rows += [told(job, "old jobs, upgraded in their middle", old, expected) for job in first]
        rows += [told(job, "new jobs, beside them", new, expected) for job in second]
        if last_step >= 4:
            waiting = shared.submit(old)
            time.sleep(10)
            assert not is_done(waiting) and embedded(waiting) == 0
            words = shared.run(new, "status", waiting.name)[0].splitlines()
            begun = shared.run(new, "resume", waiting.name, "--this-version")[1]
            wait_for(lambda: is_done(waiting))
            rows.append(told(waiting, "left by the last old worker, begun anew", old, expected))
        if last_step >= 5:
            left = shared.submit(new)
            wait_for(lambda: embedded(left) >= 5)
            shared.stop()
            shared.start(old, "old-c")
            back = shared.submit(old)
            wait_for(lambda: is_done(back))
            before = embedded(left)
            rows.append(told(back, "after the way back", old, expected))
            time.sleep(10)
            assert embedded(left) == before and not is_done(left)
            shared.start(new, "new-b")
            wait_for(lambda: is_done(left))
            rows.append(told(left, "a new job that waited meanwhile", new, expected))
        failures = [str(file) for file in shared.store.glob("jobs/*/failed.json")]
    return {
        "old": f"{old.version} ({old.revision})",
        "new": f"{new.version} ({new.revision})",
        "shards_done_when_the_new_workers_started": progress,
        "jobs": rows,
        "status_of_the_waiting_job": words,
        "words_of_resume": begun,
        "failed_jobs": len(failures),
        "all_true": all(row["run_json_is_true"] and row["equal_to_quiet_run"] for row in rows) and not failures,
    }


HEADER = (
    "jobs",
    "submitted by",
    "shards by set of workers",
    "version in run.json",
    "of one version",
    "equal to a quiet run",
)


def table_row(row: dict[str, Any]) -> list[str]:
    return [
        row["phase"],
        row["submitted_by"],
        ", ".join(f"{name} {count}" for name, count in row["shards_by_worker"].items()),
        row["version_in_run_json"],
        "yes" if row["run_json_is_true"] else "NO",
        "yes" if row["equal_to_quiet_run"] else "NO",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", default="HEAD:1.0.1", metavar="REVISION:VERSION")
    parser.add_argument("--new", default="HEAD:1.0.2", metavar="REVISION:VERSION")
    parser.add_argument("--last-step", type=int, choices=(3, 4, 5), default=5)
    parser.add_argument("--name", default="rolling_upgrade", help="name of the result files")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        old, new = (install(name, getattr(options, name), Path(folder)) for name in ("old", "new"))
        measured = upgrade(old, new, last_step=options.last_step)
    rows = [table_row(row) for row in measured["jobs"]]
    write_result(options.output / options.name, {"machine": fingerprint(), **measured}, rows=rows, header=HEADER)
    sys.exit(0 if measured["all_true"] else 1)


if __name__ == "__main__":
    main()
