"""Causes each alert of deploy/prometheus for real and says what fires; and that none fires while all is well.

    causes    a deployment with one CPU worker, one coordinator and a small store (a tmpfs: needs root); each thing that
              goes wrong is caused by itself, until the alerts that are expected fire, and mended, until none fires
    quiet     a small job every two minutes on a healthy deployment, with the rules and pauses as shipped

Times are divided by FACTOR while causes are tried: see `alert_scene.shortened`. With --only, what the result file has
of other causes stays.

    python benchmarks/alerts.py causes [--factor 10] [--only NAME ...]
    python benchmarks/alerts.py quiet [--seconds 3600]
                                     each: [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from alert_causes import CAUSES, INPUT, Cause, finish, report, small_store, start_coordinator, start_worker
from alert_scene import ROOT, RULES, Scene, is_done, shortened, wait_for
from fingerprint import fingerprint, write_result

JOB_SECONDS = 120.0
LONGEST_SECONDS = 300.0
LATER_SECONDS = 3.0
"""What a cause brings about besides is waited for so long."""


def tried(scene: Scene, found: Cause) -> dict[str, Any]:
    """Let it happen, and end: what fired after how many seconds, and how long it took until nothing fired."""
    fired: dict[str, float] = {}

    def all_fired() -> bool:
        for alert in scene.firing():
            fired.setdefault(alert, round(time.monotonic() - began, 1))
        return found.alerts <= set(fired)

    wait_for(lambda: not scene.firing())
    began = time.monotonic()
    with found.happens(scene):
        happened = time.monotonic()
        with suppress(TimeoutError):
            wait_for(all_fired, seconds=LONGEST_SECONDS)
        time.sleep(LATER_SECONDS)
        all_fired()
    mended = time.monotonic()
    wait_for(lambda: not scene.firing())
    ended = time.monotonic()
    ever = set(scene.ever("firing", ended - began))
    return {
        "cause": found.words,
        "expected": sorted(found.alerts),
        "seconds_to_cause": round(happened - began, 1),
        "fired_after_seconds": dict(sorted(fired.items())),
        "resolved_after_seconds": round(ended - mended, 1),
        "fired_at_any_time": sorted(ever),
        "as_expected": ever == set(fired) == found.alerts,
    }


def causes(factor: int, names: list[str], rows: dict[str, dict[str, Any]]) -> None:
    """Try causes one after another on one deployment, and put what each gave into `rows`."""
    with tempfile.TemporaryDirectory() as name, small_store(Path(name)), Scene(Path(name), factor) as scene:
        start_coordinator(scene)
        start_worker(scene)
        scene.start_exporter()
        scene.start_prometheus()
        finish(scene.submit(INPUT))
        for each in names:
            rows[each] = tried(scene, CAUSES[each])
            print(json.dumps({each: rows[each]}), file=sys.stderr, flush=True)


def of_causes(factor: int, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The content of the result file."""
    text = RULES.read_text()
    alerts = {line.split()[-1] for line in text.splitlines() if "- alert: " in line}
    fired = {alert for row in rows.values() for alert in row["fired_after_seconds"]}
    return {
        "factor": factor,
        "rules": shortened(text, factor),
        "causes": {name: rows[name] for name in CAUSES if name in rows},
        "alerts_that_fired": sorted(fired),
        "alerts_that_did_not": sorted(alerts - fired),
    }


def quiet(seconds: float) -> dict[str, Any]:
    """Jobs one after another on a healthy deployment."""
    jobs: list[Path] = []
    with tempfile.TemporaryDirectory() as folder, Scene(Path(folder), factor=1) as scene:
        scene.start_workers("host", "--devices", "cpu", "--coordinators", "1")
        scene.start_exporter()
        scene.start_prometheus()
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            if passed >= JOB_SECONDS * len(jobs):
                jobs.append(scene.submit(INPUT, "--expected-length", "150", "--shard-tokens", "2000"))
            if firing := scene.firing():
                print(f"after {passed:.0f} s: {', '.join(sorted(firing))}", file=sys.stderr)
            time.sleep(5)
        wait_for(lambda: all(map(is_done, jobs)))
        passed = time.monotonic() - began
        return {
            "seconds": round(passed),
            "jobs": len(jobs),
            "shards": sum(worker["shards"] for job in jobs for worker in report(job)["times"]["workers"]),
            "scrapes": scene.value(f"count_over_time(up[{passed:.0f}s])"),
            "scrapes_without_an_answer": scene.value(f"count_over_time((up == 0)[{passed:.0f}s:15s])") or 0,
            "evaluations_with_a_pending_alert": scene.ever("pending", passed),
            "evaluations_with_a_firing_alert": scene.ever("firing", passed),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("causes", "quiet"))
    parser.add_argument("--factor", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=[*CAUSES], default=[*CAUSES])
    parser.add_argument("--seconds", type=float, default=3_600)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    # So that all processes that were started end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    stem = options.output / f"alerts_{options.mode}"
    if options.mode == "quiet":
        found = quiet(options.seconds)
        table = [(name.replace("_", " "), str(value)) for name, value in found.items()]
        write_result(stem, {"machine": fingerprint(), **found}, rows=table, header=("figure", "value"))
        sys.exit(1 if found["evaluations_with_a_firing_alert"] else 0)
    file = stem.with_suffix(".json")
    rows = json.loads(file.read_text())["causes"] if file.exists() else {}
    try:
        causes(options.factor, options.only, rows)
    finally:
        content = of_causes(options.factor, rows)
        write_result(
            stem,
            {"machine": fingerprint(), **content},
            rows=[table_row(row) for row in content["causes"].values()],
            header=HEADER,
        )
    sys.exit(0 if all(row["as_expected"] for row in rows.values()) else 1)


HEADER = ("cause", "alerts that fired, after", "none fired after", "only those that are expected")


def table_row(row: dict[str, Any]) -> tuple[str, ...]:
    fired = row["fired_after_seconds"].items()
    return (
        row["cause"],
        ", ".join(f"{name.removeprefix('Virnucpro')} ({seconds:.0f} s)" for name, seconds in fired),
        f"{row['resolved_after_seconds']:.0f} s",
        "yes" if row["as_expected"] else f"NO: {', '.join(row['expected'])}",
    )


if __name__ == "__main__":
    main()
