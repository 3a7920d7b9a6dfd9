"""Heartbeat files of the workers, and a probe that checks their age.

    python -m virnucpro_workers.health RUN_DIR [--max-age-seconds 120]

exits 0 if every heartbeat in the folder is fresh. A process that runs but has stopped consuming (seen after broker
outages) fails. One that is reconnecting counts as alive: a restart would not bring Redis back.
"""

from __future__ import annotations

from virnucpro_tasks.system.start_module import leave_out_current_folder

if __name__ == "__main__":
    leave_out_current_folder()

import argparse
import os
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.system.files import write_bytes
from virnucpro_tasks.system.streams import protect_streams

SUFFIX = ".beat"
CLOCK_FILE = ".clock"


class Phase(StrEnum):
    """The activity of a worker at its last heartbeat, as its file says it."""

    STARTING = "starting"
    CONSUMING = "consuming"
    RECONNECTING = "reconnecting"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of one worker process."""

    name: str
    phase: Phase
    age_seconds: float

    def is_alive(self, *, max_age_seconds: float) -> bool:
        return self.phase is not Phase.CONSUMING or self.age_seconds <= max_age_seconds


def heartbeat_file(run_dir: Path, name: str) -> Path:
    """Return the heartbeat file of the worker process `name`."""
    return run_dir / f"{name}{SUFFIX}"


def write_heartbeat(file: Path, phase: Phase) -> None:
    """Write `phase` to `file`."""
    write_bytes(file, phase.encode())


def renew_heartbeat(file: Path) -> None:
    """Set the time of the last heartbeat to now; the phase stays."""
    try:
        os.utime(file)
    except OSError:
        # Who writes a file need not have the right, or the file system the call, to set its time.
        write_bytes(file, file.read_bytes())


def read_heartbeat(file: Path) -> Heartbeat:
    """Read one heartbeat file. Raises FileNotFoundError or ValueError."""
    age_seconds = max(0.0, _now(file.parent) - file.stat().st_mtime)
    return Heartbeat(file.name.removesuffix(SUFFIX), Phase(file.read_text()), age_seconds)


def _now(folder: Path) -> float:
    """The time by the clock that sets the times of files in `folder`, or by that of this host if it makes none."""
    clock = folder / CLOCK_FILE
    try:
        clock.touch()
        return clock.stat().st_mtime
    except OSError:
        return time.time()


def main(arguments: list[str] | None = None) -> int:
    """Probe all workers of a folder: exit status 0 if all are alive, 1 otherwise; prints the silent ones."""
    protect_streams()
    parser = argparse.ArgumentParser(prog="python -m virnucpro_workers.health", description="Are the workers alive?")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--max-age-seconds", type=float, default=120.0)
    options = parser.parse_args(arguments)
    files = sorted(options.run_dir.glob(f"*{SUFFIX}"))
    if not files:
        print(f"no heartbeat in {options.run_dir}", file=sys.stderr)
        return ExitCode.UNEXPECTED
    dead = 0
    for heartbeat in map(read_heartbeat, files):
        if not heartbeat.is_alive(max_age_seconds=options.max_age_seconds):
            print(f"{heartbeat.name}: no heartbeat for {heartbeat.age_seconds:.0f} s", file=sys.stderr)
            dead += 1
    return ExitCode.UNEXPECTED if dead else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
