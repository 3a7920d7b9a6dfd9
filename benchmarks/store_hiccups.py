"""Measures what a hiccup of the store costs, by its length and the number of workers: jobs, shards, and time.

Workers whose shards only sleep; how they meet a failing store is the package's own code. In the middle of
a job the store fails for a while, in one of two ways:

    away     its folder is not there, as where a mount is lost
    stale    every call that opens or looks for a file there fails with ESTALE, as after a file server was restarted
             (a library in LD_PRELOAD, tests/filesystem/shim.c; needs a C compiler)

A job is lost if it does not come to its end by itself, condemned if it has failed. The times are from the return of the
store until a shard ends again, and until all workers are at a shard again.

    python benchmarks/store_hiccups.py [--workers 1 12 32] [--seconds 1 10 60] [--kinds away stale]
                                       [--shard-seconds 1] [--add] [--output benchmarks/results]

The default takes about twenty minutes, on a busy machine more. The results are written after each number of workers;
with --add those that were there stay, but for what is measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result
from noop_workers import Fleet, done_shards, finish_started, new_job, split_done

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue
from virnucpro_tasks.settings import Settings

SHIM = Path(__file__).resolve().parents[1] / "tests" / "filesystem" / "shim.c"
BEFORE_SECONDS = 3.0
AFTER_SECONDS = 20.0
"""Work for each worker after the hiccup: twice the longest pause of a worker."""

LONGEST_SECONDS = 300.0


class Store:
    """A store that can fail."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store"
        self.path.mkdir()
        self._away = folder / "away"
        self._faults = folder / "faults"
        self._faults.write_text("")
        self._library = folder / "shim.so"

    def environment(self, kind: str) -> dict[str, str]:
        """Variables of the workers."""
        if kind == "away":
            return {}
        flags = ["-shared", "-fPIC", "-Wno-nonnull-compare", "-o", str(self._library), str(SHIM), "-ldl"]
        subprocess.run([shutil.which("cc") or "gcc", *flags], check=True)
        return {"LD_PRELOAD": str(self._library), "SHIM_ROOT": str(self.path), "SHIM": str(self._faults)}

    def fail(self, kind: str) -> None:
        if kind == "away":
            self.path.rename(self._away)
        else:
            self._faults.write_text("stale=1")

    def heal(self, kind: str) -> None:
        if kind == "away":
            self._away.rename(self.path)
        else:
            self._faults.write_text("")


@contextmanager
def deployment(workers: int, kind: str) -> Iterator[tuple[Settings, Store]]:
    with tempfile.TemporaryDirectory() as name, EmbeddedBroker() as broker:
        store = Store(Path(name))
        settings = replace(Settings(bundle="demo"), store=store.path, broker_url=broker.url)
        with Fleet(settings, environment=store.environment(kind)) as fleet:
            roles = ["coordinate", "coordinate-small", *["embed"] * workers]
            for role in roles:
                fleet.start(role)
            until(lambda: fleet.ready() >= len(roles), 120)
            yield settings, store


def until(holds: Callable[[], Any], seconds: float) -> bool:
    """Wait until it holds; returns whether it did in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def hiccup(
    settings: Settings, store: Store, *, kind: str, workers: int, seconds: float, shard_seconds: float
) -> dict[str, Any]:
    """One job with a hiccup in it. Raises SystemExit if it ended before."""
    shards = workers * round((BEFORE_SECONDS + AFTER_SECONDS) / shard_seconds)
    # A splitting that is interrupted begins anew, and these workers do not see which shards are done.
    job = new_job(settings, shards=shards, seconds=shard_seconds, owner="a", split_first=True)
    enqueue(make_app(settings), job)
    until(lambda: split_done(job).exists() and len(done_shards(job)) >= workers, LONGEST_SECONDS)
    told = failures_told(settings)
    time.sleep(BEFORE_SECONDS)
    store.fail(kind)
    time.sleep(seconds)
    store.heal(kind)
    back = time.time()
    ended = until(lambda: finish_started(job).exists() or job.paths.failed.exists(), LONGEST_SECONDS)
    done = done_shards(job)
    if done[-1].ended < back:
        raise SystemExit("the job was done before the hiccup: is the machine busy? ask for longer shards")
    times = Counter(shard.number for shard in done)
    began = {shard.worker: shard.began for shard in reversed(done) if shard.began > back}
    everyone = {shard.worker for shard in done}
    return {
        "kind": kind,
        "workers": workers,
        "shard_seconds": shard_seconds,
        "hiccup_seconds": seconds,
        "shards": shards,
        "lost_jobs": int(not ended),
        "failures_told": failures_told(settings) - told,
        "condemned_jobs": int(job.paths.failed.exists()),
        "lost_shards": shards - len(times),
        "shards_done_again": sum(count - 1 for count in times.values()),
        "first_shard_seconds": round(min(shard.ended for shard in done if shard.ended > back) - back, 2),
        # None if there was no shard left for one of them.
        "all_workers_seconds": round(max(began.values()) - back, 2) if began.keys() == everyone else None,
    }


def failures_told(settings: Settings) -> int:
    """How often a worker has said that the store failed."""
    return (settings.store / "noop.log").read_text(errors="replace").count(" in a row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 12, 32])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1, 10, 60])
    parser.add_argument("--shard-seconds", type=float, default=1.0)
    parser.add_argument("--kinds", nargs="+", choices=["away", "stale"], default=["away", "stale"])
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    stem = options.output / "store_hiccups"
    old = json.loads(stem.with_suffix(".json").read_bytes())["hiccups"] if options.add else []
    rows = {combination(row): row for row in old}
    for kind in options.kinds:
        for workers in options.workers:
            with deployment(workers, kind) as (settings, store):
                for seconds in options.seconds:
                    one = {"kind": kind, "workers": workers, "seconds": seconds}
                    row = hiccup(settings, store, **one, shard_seconds=options.shard_seconds)
                    print(row, flush=True)
                    rows[combination(row)] = row
            write(stem, [rows[key] for key in sorted(rows)])


def combination(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("kind", "workers", "hiccup_seconds", "shard_seconds"))


def write(stem: Path, rows: list[dict[str, Any]]) -> None:
    names = tuple(rows[0])
    write_result(
        stem,
        {"machine": fingerprint(), "load_after": os.getloadavg(), "hiccups": rows},
        rows=[tuple("-" if row[name] is None else str(row[name]) for name in names) for row in rows],
        header=tuple(name.replace("_seconds", ", s").replace("_", " ") for name in names),
    )


if __name__ == "__main__":
    main()
