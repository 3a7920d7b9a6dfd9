"""Compares the one-shot run of a small input between two checkouts, phase by phase.

Rounds alternate between the checkouts, so that a machine that is busy for a while is busy for both. The phases are seen
from outside, by the files that the run makes:

    submitted    the job is in the work folder: imports of the command, checks of bundle and input
    launched     the supervisor has been started
    workers      the first worker process has imported what it needs
    split        the plan of the job is written
    loaded       an attempt at the first shard has begun: torch is imported, the models are loaded
    embedded     its vectors are written
    finished     the results are complete
    delivered    they are in the output folder
    ended        the command has ended, and all its processes with it

`cpu` is the processor time of all processes together, in seconds; `load` is the mean number of processes that the
machine ran in the minute before, others' among them. Where it exceeds the number of cores, compare `cpu` instead.

    python benchmarks/one_shot.py BEFORE AFTER INPUT.fasta [--rounds 7] [--devices auto] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from before_after import alternating, environment
from fingerprint import fingerprint, write_result

POLL_SECONDS = 0.002
PR_SET_CHILD_SUBREAPER = 36
WORK = ".virnucpro-work"
FILES = {
    "submitted": f"{WORK}/jobs/[!.]*/job.json",
    "launched": f"{WORK}/workers.log",
    "workers": f"{WORK}/vnp-run-*/*.beat",
    "split": f"{WORK}/jobs/[!.]*/plan.json",
    "loaded": f"{WORK}/jobs/[!.]*/attempts/[0-9]*.jsonl",
    "embedded": f"{WORK}/jobs/[!.]*/embeddings/*.safetensors",
    "finished": f"{WORK}/jobs/[!.]*/run.json",
    "delivered": "run.json",
}
ENDED, CPU, LOAD = "ended", "cpu", "load"
FIGURES = (*FILES, ENDED, CPU, LOAD)


def measure(tree: Path, source: Path, devices: str) -> dict[str, float]:
    """The seconds from the start of the command until each phase is over, and its processor time."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "out")
        load, cpu_before = os.getloadavg()[0], processor_seconds()
        started = time.perf_counter()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", str(source), "--bundle", "demo"),
                *("--output", str(output), "--devices", devices, "--quiet"),
            ],
            env=environment(tree),
            cwd=folder,
        )
        seen: dict[str, float] = {}
        while process.poll() is None:
            now = time.perf_counter() - started
            for phase, pattern in FILES.items():
                if phase not in seen and any(output.glob(pattern)):
                    seen[phase] = now
            time.sleep(POLL_SECONDS)
        seen[ENDED] = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(f"{tree}: predict ended with status {process.returncode}")
        with suppress(ChildProcessError):
            while True:
                os.wait()
        return seen | {CPU: processor_seconds() - cpu_before, LOAD: load}


def processor_seconds() -> float:
    """Processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--devices", default="auto")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    # Processes whose parent was killed are counted too.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    trees = {"before": options.before.resolve(), "after": options.after.resolve()}
    source = options.input.resolve()
    for tree in trees.values():
        measure(tree, source, options.devices)  # byte code and file cache
    rounds = alternating(trees, options.rounds, lambda tree: measure(tree, source, options.devices))
    median = {
        name: {figure: _median([each[figure] for each in found if figure in each]) for figure in FIGURES}
        for name, found in rounds.items()
    }
    pairs = [(before[ENDED], after[ENDED]) for before, after in zip(rounds["before"], rounds["after"], strict=True)]
    write_result(
        options.output / "one_shot",
        {
            "machine": fingerprint(),
            "input_bytes": source.stat().st_size,
            "devices": options.devices,
            "medians": median,
            "median_ratio_of_pairs": _median([after / before for before, after in pairs]),
            "rounds": rounds,
        },
        rows=[
            *((figure, *(_shown(median[name][figure]) for name in trees)) for figure in FIGURES),
            *((f"pair {number}", f"{before:.2f}", f"{after:.2f}") for number, (before, after) in enumerate(pairs, 1)),
        ],
        header=("seconds, median", "before", "after"),
    )


def _median(values: list[float]) -> float | None:
    """None for a phase too short to be seen in any round."""
    return statistics.median(values) if values else None


def _shown(seconds: float | None) -> str:
    return "not seen" if seconds is None else f"{seconds:.2f}"


if __name__ == "__main__":
    main()
