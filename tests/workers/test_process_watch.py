"""A computing process that hangs is killed, and a worker that cannot be rid of it leaves."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Thread

import pytest
from virnucpro_workers import process_watch
from virnucpro_workers.hang import HangDetector
from virnucpro_workers.process_watch import ProcessWatch
from virnucpro_workers.sign_of_life import Activity, Life

from virnucpro_tasks.system.process_signs import ProcessSigns, process_signs

LIMIT = 0.2


@dataclass
class Scene:
    """A child of this process that sleeps, and what is told about it."""

    child: subprocess.Popen[bytes]
    told: list[str] = field(default_factory=list)
    left: list[bool] = field(default_factory=list)

    def read(self) -> Life:
        return Life(self.child.pid, Activity.WORKING, 0)

    def watch(self) -> ProcessWatch:
        return ProcessWatch(
            self,  # type: ignore[arg-type]
            HangDetector(LIMIT, packs_only=False),
            subject=lambda: "job=j shard=3",
            tell=self.told.append,
            leave=lambda: self.left.append(True),
        )


@pytest.fixture
def scene() -> Iterator[Scene]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield Scene(child)
        child.kill()


@pytest.mark.parametrize("stopped", [True, False])
def test_a_process_without_progress_is_killed(scene: Scene, stopped: bool) -> None:
    if stopped:
        scene.child.send_signal(signal.SIGSTOP)
    watch, stopping = scene.watch(), Event()
    thread = Thread(target=watch.run, args=(stopping,))
    thread.start()
    assert scene.child.wait(30) == -signal.SIGKILL
    stopping.set()
    thread.join(30)
    state = " it was stopped (SIGSTOP)" if stopped else ""
    assert scene.told == [f"no progress for 0.2 s{':' if stopped else ''}{state} job=j shard=3"]
    assert scene.left == []
    # Whoever handles its death learns why, once, and nobody else does
    assert watch.hang_of(1) is None
    hang = watch.hang_of(scene.child.pid)
    assert hang is not None and hang.is_stopped == stopped
    assert watch.hang_of(scene.child.pid) is None


def look_until_told(scene: Scene, watch: ProcessWatch) -> None:
    deadline = time.monotonic() + 30
    while not scene.told and time.monotonic() < deadline:
        watch.look()
        time.sleep(0.05)


def test_the_worker_leaves_if_the_process_waits_in_the_kernel(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def waiting(pid: int) -> ProcessSigns | None:
        found = process_signs(pid)
        return None if found is None else ProcessSigns("D", found.parent, 0.0, 0)

    monkeypatch.setattr(process_watch, "process_signs", waiting)
    look_until_told(scene, scene.watch())
    assert scene.left == [True]


def test_the_worker_leaves_if_the_process_survives_its_kill(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_watch, "KILL_SECONDS", 0.1)
    monkeypatch.setattr("os.kill", lambda pid, number: None)
    look_until_told(scene, scene.watch())
    assert scene.left == [True]


def test_a_process_of_somebody_else_is_never_killed(scene: Scene) -> None:
    scene.read = lambda: Life(1, Activity.WORKING, 0)  # type: ignore[method-assign]
    watch = scene.watch()
    for _ in range(6):
        watch.look()
        time.sleep(0.05)
    assert scene.told == [] and watch.quiet_seconds == 0
