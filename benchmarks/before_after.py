"""Compares two checkouts side by side: the start of a one-shot run, and the time of a small shard.

Rounds alternate between the checkouts, so that a machine that is busy for a while is busy for both. A round is

    first shard   `virnucpro predict` on a tiny input: from its start until a worker has begun the first shard
    whole run     the same, until it has ended
    queue         benchmarks/shard_overhead.py of that checkout: time between two shards that a worker finishes

    python benchmarks/before_after.py BEFORE AFTER INPUT.fasta [--rounds 10] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fingerprint import fingerprint, write_result

TINY = Path(__file__).parents[1] / "tests" / "short.fasta"
POLL_SECONDS = 0.002
FIGURES = ("first_shard_seconds", "run_seconds", "queue_ms")


def environment(tree: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{tree}:{tree / 'workers'}"}


def measure_start(tree: Path, folder: Path) -> dict[str, float]:
    output = folder / "out"
    flags = ("--output", str(output), "--bundle", "demo", "--devices", "cpu", "--quiet")
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", str(TINY), *flags],
        env=environment(tree),
        cwd=folder,
    )
    first_shard_seconds = None
    while process.poll() is None:
        if first_shard_seconds is None and any(output.glob(".virnucpro-work/jobs/*/attempts/*.jsonl")):
            first_shard_seconds = time.perf_counter() - started
        time.sleep(POLL_SECONDS)
    run_seconds = time.perf_counter() - started
    if process.returncode or first_shard_seconds is None:
        raise SystemExit(f"{tree}: predict ended with status {process.returncode}")
    return {"first_shard_seconds": first_shard_seconds, "run_seconds": run_seconds}


def measure_shards(tree: Path, source: Path, folder: Path) -> dict[str, float]:
    script = tree / "benchmarks" / "shard_overhead.py"
    subprocess.run(
        [sys.executable, script, source, "--output", folder],
        env=environment(tree),
        # Older versions import from the current folder first.
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return {"queue_ms": json.loads((folder / "shard_overhead.json").read_text())["queue_ms"]}


def measure(tree: Path, source: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return measure_start(tree, Path(folder)) | measure_shards(tree, source, Path(folder))


def alternating(
    trees: dict[str, Path], count: int, measure: Callable[[Path], dict[str, float]]
) -> dict[str, list[dict[str, float]]]:
    """`count` measurements of each tree, in turn."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for number in range(count):
        # Whoever comes second finds warmer caches, so the order changes with each round.
        for name in sorted(trees, reverse=number % 2 == 0):
            rounds[name].append(measure(trees[name]))
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    trees = {"before": options.before.resolve(), "after": options.after.resolve()}
    rounds = alternating(trees, options.rounds, lambda tree: measure(tree, options.input.resolve()))
    medians = {
        name: {figure: statistics.median(found[figure] for found in each) for figure in FIGURES}
        for name, each in rounds.items()
    }
    ratios = {
        figure: statistics.median(
            after[figure] / before[figure] for before, after in zip(rounds["before"], rounds["after"], strict=True)
        )
        for figure in FIGURES
    }
    write_result(
        options.output / "before_after",
        {"machine": fingerprint(), "medians": medians, "median_ratios": ratios, "rounds": rounds},
        rows=[
            (
                figure,
                f"{medians['before'][figure]:.2f}",
                f"{medians['after'][figure]:.2f}",
                f"{ratios[figure]:.3f}",
            )
            for figure in FIGURES
        ],
        header=("median", "before", "after", "after / before, median of pairs"),
    )


if __name__ == "__main__":
    main()
