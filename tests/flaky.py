"""How often service tests fail by chance: `make flaky`, or

    python tests/flaky.py [--rounds 20] [--at-once 1] [--processes 2] [--output benchmarks/results] [TEST ...]

Each round is a run of pytest by itself, in another order of files; what failed, in which round, goes to flaky.json.
Twenty rounds take hours on two cores: a command that is repeated goes on with the rounds that are there, if they were
of the same code and files, and a machine with many cores runs some `--at-once`, each with so many `--processes`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=HERE.parent / "benchmarks" / "results")
    parser.add_argument("--without", default="", help="names of tests as pytest's -k, left out where they cannot run")
    parser.add_argument("files", nargs="*", type=Path, default=sorted((HERE / "service").glob("test_*.py")))
    options = parser.parse_args()
    about = {"code": code_digest(), "files": [file.name for file in options.files], "without": options.without}
    rounds = earlier_rounds(options.output / "flaky.json", about)
    writing = threading.Lock()

    def run(number: int) -> None:
        entry, said = run_round(number, options.files, processes=options.processes, without=options.without)
        with writing:
            rounds.append(entry)
            print(entry, said, flush=True)
            write_result(
                options.output / "flaky",
                {"machine": fingerprint(), **about, "rounds": rounds},
                rows=[(str(len(rounds)), str(sum(len(entry["failed"]) for entry in rounds)), _span(rounds))],
                header=("rounds", "tests that failed", "a round, s"),
            )

    with ThreadPoolExecutor(options.at_once) as pool:
        list(pool.map(run, range(len(rounds), options.rounds)))
    sys.exit(any(entry["failed"] or not entry["passed"] for entry in rounds))


def run_round(number: int, files: list[Path], *, processes: int, without: str) -> tuple[dict[str, Any], str]:
    """One run of pytest: what came of it, and the end of what it said if it failed."""
    shuffled = random.Random(number).sample(files, len(files))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(processes)]
    command += [
        "--given-order",
        "--dist",
        "loadfile",
        *(["-k", f"not ({without})"] if without else []),
        *map(str, shuffled),
    ]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command.append(f"--basetemp={folder}/round")
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)
    passed = _PASSED.search(ended.stdout)
    entry = {
        "passed": int(passed[1]) if passed else 0,
        "failed": _FAILED.findall(ended.stdout),
        "seconds": round(time.monotonic() - began),
    }
    return entry, ended.stdout[-20_000:] if ended.returncode else ""


def code_digest() -> str:
    """SHA-256 (hex) of the names and contents of the files of CODE, wherever they lie."""
    digest = hashlib.sha256()
    for file in sorted(file for name in CODE for file in [HERE.parent / name, *(HERE.parent / name).rglob("*")]):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(HERE.parent)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


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
