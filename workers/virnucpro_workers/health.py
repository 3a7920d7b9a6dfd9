"""Is a worker still consuming? A heartbeat file it touches, and a probe that reads the file's age.

    python -m virnucpro_workers.health RUN_DIR [--max-age-seconds 120]

exits 0 if every heartbeat in the folder is fresh. A process that is there but has stopped consuming (seen after
broker outages) fails. One that is reconnecting counts as alive: a restart would not bring Redis back.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker import state

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.files import write_bytes

BEAT_SECONDS = 5.0
SUFFIX = ".beat"


class Phase(StrEnum):
    """What a worker was doing at its last heartbeat. Written to the file."""

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
    """The file that the worker process `name` touches."""
    return run_dir / f"{name}{SUFFIX}"


def write_heartbeat(file: Path, phase: Phase) -> None:
    """Note `phase` in `file`."""
    write_bytes(file, phase.encode())


def read_heartbeat(file: Path) -> Heartbeat:
    """Read one heartbeat file. Raises FileNotFoundError or ValueError."""
    age_seconds = max(0.0, time.time() - file.stat().st_mtime)
    return Heartbeat(file.name.removesuffix(SUFFIX), Phase(file.read_text()), age_seconds)


class HeartbeatStep(bootsteps.StartStopStep):
    """Touches the heartbeat from the consumer's event loop while it polls for messages or runs one."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    file: Path
    """Set on a subclass, one per process."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        write_heartbeat(self.file, Phase.CONSUMING)
        self._timer = parent.timer.call_repeatedly(BEAT_SECONDS, self.beat, (parent,))

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        write_heartbeat(self.file, Phase.RECONNECTING)

    terminate = stop

    def beat(self, parent: Any) -> None:
        # kombu keeps the connection of a pending BRPOP here; while a task is held nothing is polled.
        if state.reserved_requests or parent.task_consumer.channel._in_poll:
            os.utime(self.file)


def main(arguments: list[str] | None = None) -> int:
    """The probe: exit status 0 if all are alive, 1 otherwise; says which is not."""
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
