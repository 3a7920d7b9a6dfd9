"""How often service tests fail by chance: `make flaky`, or

    python tests/flaky.py [--rounds 20] [--output benchmarks/results] [tests/service/test_lease.py ...]

Each round is a run of pytest by itself, in another order of files; what failed, in which round, goes to flaky.json.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_PASSED = re.compile(r"(\d+) passed")


def main() -> None:
    from fingerprint import fingerprint, write_result

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--output", type=Path, default=HERE.parent / "benchmarks" / "results")
    parser.add_argument("files", nargs="*", type=Path, default=sorted((HERE / "service").glob("test_*.py")))
    options = parser.parse_args()
    rounds = []
    for number in range(options.rounds):
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
            {"machine": fingerprint(), "files": [file.name for file in options.files], "rounds": rounds},
            rows=[(str(len(rounds)), str(sum(len(entry["failed"]) for entry in rounds)), _span(rounds))],
            header=("rounds", "tests that failed", "a round, s"),
        )
    sys.exit(any(entry["failed"] or not entry["passed"] for entry in rounds))


def _span(rounds: list[dict]) -> str:
    seconds = [entry["seconds"] for entry in rounds]
    return f"{min(seconds)} to {max(seconds)}"


if __name__ == "__main__":
    main()
