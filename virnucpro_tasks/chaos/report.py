"""The report of a drill: for each kind of fault its number and recovery times, and all differences in results."""

from __future__ import annotations

import csv
import json
import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from virnucpro_tasks.errors import counted


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job under faults differs from the undisturbed one: records lost and doubled, names of files."""

    job_id: str
    lost: int
    doubled: int
    differing: tuple[str, ...]
    message: str = ""

    @property
    def same(self) -> bool:
        return not (self.lost or self.doubled or self.differing or self.message)


@dataclass(slots=True)
class Drill:
    """All numbers of a drill. `recovery_seconds` are by kind of fault; faults at the end of a job may lack theirs."""

    seed: int
    workers: int
    lease_seconds: float
    faults: Counter[str] = field(default_factory=Counter)
    recovery_seconds: dict[str, list[float]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def same(self) -> bool:
        return bool(self.outcomes) and all(outcome.same for outcome in self.outcomes)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        kinds = {
            name: {"count": count} | _times(self.recovery_seconds.get(name, []))
            for name, count in sorted(self.faults.items())
        }
        return {
            "seed": self.seed,
            "workers": self.workers,
            "lease_seconds": self.lease_seconds,
            "seconds": round(self.seconds, 1),
            "faults": self.faults.total(),
            "jobs": len(self.outcomes),
            "same": self.same,
            "lost": sum(outcome.lost for outcome in self.outcomes),
            "doubled": sum(outcome.doubled for outcome in self.outcomes),
            "differing_files": sum(len(outcome.differing) for outcome in self.outcomes),
            "kinds": kinds,
            "not_the_same": [asdict(outcome) for outcome in self.outcomes if not outcome.same],
        }

    def table(self) -> str:
        """Return the report as text: a line of columns for each kind of fault, and a line about the results."""
        lines = [f"{'fault':<18}{'times':>6}{'median, s':>11}{'longest, s':>12}"]
        report = self.as_dict()
        for name, kind in report["kinds"].items():
            times = [f"{kind[which]:.1f}" if kind[which] is not None else "-" for which in ("median_s", "longest_s")]
            lines.append(f"{name:<18}{kind['count']:>6}{times[0]:>11}{times[1]:>12}")
        lines.append(
            f"{counted(report['faults'], 'fault')} in {counted(report['jobs'], 'job')}: "
            f"{counted(report['lost'], 'record')} lost, {report['doubled']} doubled, "
            f"{counted(report['differing_files'], 'differing file')}"
        )
        lines += [f"job {entry['job_id']}: {entry['message']}" for entry in report["not_the_same"] if entry["message"]]
        return "\n".join(lines)


def compare(job_id: str, results: Path, quiet: Path) -> Outcome:
    """Compare two results folders byte by byte, except for the times in run.json and the log.

    Results of which workers of another build have computed a part are not the same.
    """
    ours, theirs = contents(results), contents(quiet)
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    found, expected = record_ids(results), record_ids(quiet)
    others = other_builds(results)
    message = f"workers of another build have computed a part of it: {', '.join(sorted(others))}" if others else ""
    return Outcome(job_id, (expected - found).total(), (found - expected).total(), tuple(differing), message)


def other_builds(results: Path) -> set[str]:
    """Return the builds of workers that took part, besides the one of the results."""
    report = json.loads((results / "run.json").read_bytes())
    return {worker["build"] for worker in report["times"].get("workers", [])} - {report.get("build")}


def contents(results: Path) -> dict[str, bytes]:
    """Return the result files by name, without the times in run.json, without files that tell times, and the log."""
    files = {file.name: file.read_bytes() for file in results.iterdir() if file.suffix != ".log"}
    report = json.loads(files["run.json"])
    for name in report.pop("times").get("sha256", {}):
        files.pop(name, None)
    return files | {"run.json": json.dumps(report, sort_keys=True).encode()}


def record_ids(results: Path) -> Counter[str]:
    """Count the rows of each record in records.tsv."""
    with (results / "records.tsv").open(newline="", encoding="utf-8", errors="surrogateescape") as table:
        return Counter(row["record_id"] for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


def _times(seconds: list[float]) -> dict[str, float | None]:
    if not seconds:
        return {"median_s": None, "longest_s": None}
    return {"median_s": round(statistics.median(seconds), 2), "longest_s": round(max(seconds), 2)}
