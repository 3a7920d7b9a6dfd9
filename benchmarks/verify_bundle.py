"""The time that verifying a bundle takes: at the first load, at the next one, and what it adds to a one-shot run.

A folder in the form of a bundle whose weights have the size of ESM-2 3B and DNABERT-S in half precision is hashed by
processes of their own: with no file in memory (`posix_fadvise`), with all of them, and with the digests that an earlier
process has kept. Beside it the demonstration, and finding a bundle without verifying it.

    python benchmarks/verify_bundle.py [--gigabytes 6] [--folder DIR] [--rounds 3] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from fingerprint import fingerprint, write_result

from virnucpro_tasks.models.bundle import describe_bundle
from virnucpro_tasks.models.file_state import RACY_SECONDS
from virnucpro_tasks.models.locate import copy_demo_bundle, demo_bundle

DNABERT_S_BYTES = 234 << 20
BLOCK_BYTES = 64 << 20
FIND = """
import sys, time
from virnucpro_tasks.models.locate import find_bundle, locate_bundle
locate_bundle("demo")
seconds = []
for find in (find_bundle, find_bundle, locate_bundle):
    start = time.perf_counter()
    find(sys.argv[1])
    seconds.append(time.perf_counter() - start)
print(*seconds)
"""


def make_bundle(folder: Path, total: int) -> list[Path]:
    """Give a copy of the demonstration weights of `total` bytes; returns its large files."""
    copy_demo_bundle(folder)
    sizes = {"dnabert-s/model.safetensors": DNABERT_S_BYTES, "esm2/model.safetensors": total - DNABERT_S_BYTES}
    for name, size in sizes.items():
        (folder / name).unlink()
        with (folder / name).open("wb") as file:
            for start in range(0, size, BLOCK_BYTES):
                file.write(os.urandom(min(BLOCK_BYTES, size - start)))
            os.fsync(file.fileno())
    facts = msgspec.structs.asdict(demo_bundle().description)
    shutil.rmtree(folder / "head")  # its card names the encoders of the demonstration
    describe_bundle(
        folder, **{name: value for name, value in facts.items() if name not in ("sha256", "format_version")}
    )
    return [folder / name for name in sizes]


def find(bundle: str, cache: Path) -> tuple[float, float, float]:
    """Seconds in a process of its own: found and verified, the same once more, found without verifying."""
    command = [sys.executable, "-c", FIND, bundle]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    first, again, unverified = map(float, done.stdout.split())
    return first, again, unverified


def forget(files: list[Path]) -> None:
    """Drop files from the page cache."""
    for file in files:
        with file.open("rb") as handle:
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--folder", type=Path, help="where the bundle is made; it is removed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}

    def measured(name: str, value: float) -> None:
        seconds.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        bundle, cache = Path(name) / "bundle", Path(name) / "cache"
        files = make_bundle(bundle, int(options.gigabytes * 1e9))
        time.sleep(RACY_SECONDS + 1)
        for _ in range(options.rounds):
            shutil.rmtree(cache, ignore_errors=True)
            forget(files)
            measured("first load, no file in memory", find(str(bundle), cache)[0])
            shutil.rmtree(cache)
            measured("first load, files in memory", find(str(bundle), cache)[0])
            first, again, unverified = find(str(bundle), cache)
            measured("next load, another process", first)
            measured("next load, the same process", again)
            measured("found without verifying", unverified)
            first, again, unverified = find("demo", cache)
            measured("demonstration: first load", first)
            measured("demonstration: next load, the same process", again)
            measured("demonstration: found without verifying", unverified)
    medians = {name: round(statistics.median(values), 5) for name, values in seconds.items()}
    write_result(
        options.output / "verify_bundle",
        {"machine": fingerprint(), "bytes": int(options.gigabytes * 1e9), "seconds": medians, "all": seconds},
        header=["", "seconds"],
        rows=[[name, f"{value:.4f}" if value < 1 else f"{value:.2f}"] for name, value in medians.items()],
    )


if __name__ == "__main__":
    main()
