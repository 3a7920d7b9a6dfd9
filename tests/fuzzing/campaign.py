"""Fuzz the targets for long, guided by coverage (atheris): `make fuzz`, or

    python tests/fuzzing/campaign.py [--runs 100000] [--targets labels head] [--seed 1] [--jobs 2]

Each target runs in its own process. If it crashes, hangs for ten seconds or takes 2 GiB, its input is kept in
tests/fuzzing/found/ and it is started again with another seed. Inputs whose fault is corrected are in
tests/fuzzing/corpus/, and the tests run them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT / "benchmarks")]

HANG_SECONDS = 10
MEMORY_MEGABYTES = 2_048
LONGEST_INPUT = 4_096
MOST_STARTS = 20
_DONE = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")
_COUNTERS = re.compile(rb"cov: (\d+)")


def fuzz_one(name: str, options: list[str]) -> None:
    """Fuzz one target in this process; never returns."""
    import atheris

    with atheris.instrument_imports(include=["virnucpro_tasks"]):
        from fuzzing.target import survives
        from fuzzing.targets import TARGETS

    atheris.Setup([sys.argv[0], *options], lambda data: survives(TARGETS[name], data) and None)
    atheris.Fuzz()


def campaign(name: str, *, runs: int, seed: int) -> dict[str, Any]:
    """Execute a target `runs` times, starting it again after each crash."""
    from fuzzing.targets import TARGETS

    found = HERE / "found" / name.replace(" ", "-")
    found.mkdir(parents=True, exist_ok=True)
    done = coverage = starts = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as corpus:
        for number, content in enumerate(TARGETS[name].seeds):
            (Path(corpus) / f"seed-{number}").write_bytes(content)
        while done < runs and starts < MOST_STARTS:
            options = (
                *(f"-runs={runs - done}", f"-seed={seed + starts}", f"-artifact_prefix={found}/", corpus),
                *(f"-timeout={HANG_SECONDS}", f"-rss_limit_mb={MEMORY_MEGABYTES}", f"-max_len={LONGEST_INPUT}"),
                "-print_final_stats=1",
            )
            command = [sys.executable, __file__, "--one", name, *options]
            ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            starts += 1
            if executed := _DONE.findall(ended.stdout):
                done += int(executed[-1])
            coverage = max([coverage, *map(int, _COUNTERS.findall(ended.stdout))])
            if ended.returncode:
                (found / f"start-{starts}.log").write_bytes(ended.stdout[-6_000:])
            if not executed:
                break
    result = {
        "target": name,
        "executions": done,
        "seed": seed,
        "starts": starts,
        "found": sum(1 for file in found.iterdir() if file.suffix != ".log"),
        "coverage": coverage,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(result, flush=True)
    return result


def _with_earlier(file: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`rows` after the earlier rows of targets that were not run this time."""
    ran = {row["target"] for row in rows}
    earlier = json.loads(file.read_bytes())["targets"] if file.exists() else []
    return [row for row in earlier if row["target"] not in ran] + rows


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        fuzz_one(sys.argv[2], sys.argv[3:])
    from fingerprint import fingerprint, write_result
    from fuzzing.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--jobs", type=int, default=2, help="targets at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda name: campaign(name, runs=options.runs, seed=options.seed), options.targets))
    rows = _with_earlier(options.output / "fuzz.json", rows)
    names = ("target", "executions", "seed", "found", "coverage", "seconds")
    total = sum(row["executions"] for row in rows)
    write_result(
        options.output / "fuzz",
        {"machine": fingerprint(), "executions": total, "targets": rows},
        rows=[tuple(f"{row[key]:,}" if key == "executions" else str(row[key]) for key in names) for row in rows],
        header=("target", "executions", "seed", "crashes and hangs", "branches reached", "s"),
    )


if __name__ == "__main__":
    main()
