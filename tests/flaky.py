"""How often service tests fail by chance: `make flaky`, or

    python tests/flaky.py [--rounds 20] [--output benchmarks/results] [tests/service/test_lease.py ...]

Each round is a run of pytest by itself, in another order of files; what failed, in which round, goes to flaky.json.
Twenty rounds take hours: a command that is repeated goes on with the rounds that are there, if they were of the same
code and files.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_PASSED = re.compile(r"(\d+) passed")
CODE = ("virnucpro_tasks", "workers", "tests", "constraints.txt")
"""What a round is a round of."""


def main() -> None:
    from fingerprint import fingerprint, write_result

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--output", type=Path, default=HERE.parent / "benchmarks" / "results")
    parser.add_argument("files", nargs="*", type=Path, default=sorted((HERE / "service").glob("test_*.py")))
    options = parser.parse_args()
    about = {"code": code_digests(), "files": [file.name for file in options.files]}
    rounds = earlier_rounds(options.output / "flaky.json", about)
    for number in range(len(rounds), options.rounds):
        files = random.Random(number).sample(options.files, len(options.files))
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *map(str, files)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)
        passed = _PASSED.search(ended.stdout)
        rounds.append(
            {
                "passed": int(passed[1]) if passed else 0,
                "failed": _FAILED.findall(ended.stdout),
                "seconds": round(time.monotonic() - began),
            }
        )
        print(rounds[-1], flush=True)
        if ended.returncode:
            print(ended.stdout[-20_000:], flush=True)
        write_result(
            options.output / "flaky",
            {"machine": fingerprint(), **about, "rounds": rounds},
            rows=[(str(len(rounds)), str(sum(len(entry["failed"]) for entry in rounds)), _span(rounds))],
            header=("rounds", "tests that failed", "a round, s"),
        )
    sys.exit(any(entry["failed"] or not entry["passed"] for entry in rounds))


def code_digests() -> dict[str, str]:
    """Git's digest of each of CODE; ends the program if something there is not committed."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, cwd=HERE.parent
        ).stdout.strip()

    if changed := git("status", "--porcelain", "--", *CODE):
        sys.exit(f"commit first, so that the rounds are of a known code:\n{changed}")
    return {name: git("rev-parse", f"HEAD:{name}") for name in CODE}


def earlier_rounds(result: Path, about: dict[str, Any]) -> list[dict[str, Any]]:
    """The rounds in `result`, if they are of the same code and files."""
    if not result.exists():
        return []
    found = json.loads(result.read_bytes())
    return found["rounds"] if all(found.get(key) == value for key, value in about.items()) else []


def _span(rounds: list[dict[str, Any]]) -> str:
    seconds = [entry["seconds"] for entry in rounds]
    return f"{min(seconds)} to {max(seconds)}"


if __name__ == "__main__":
    main()
