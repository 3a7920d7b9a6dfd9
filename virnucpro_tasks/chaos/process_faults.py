"""Faults of processes and hosts: killed, stopped, lost, joining and leaving."""

from __future__ import annotations

import signal

from virnucpro_tasks.chaos.hosts import children, send
from virnucpro_tasks.chaos.scene import Hit, Scene, strike

FREEZE_LEASES = 1.5

OTHER_VERSION_SECONDS = 15.0
"""A host of another version stays so long: it loads its models and looks for lost jobs within that."""


def kill_child(scene: Scene) -> Hit:
    """Kill a process that computes (SIGKILL)."""
    return strike(scene, scene.hosts.computing(), lambda pid: send(pid, signal.SIGKILL), lambda pid: {pid})


def kill_worker(scene: Scene) -> Hit:
    """Kill a worker process (SIGKILL); its supervisor starts it again."""
    return strike(scene, scene.hosts.workers(), lambda pid: send(pid, signal.SIGKILL), lambda pid: set(children(pid)))


def lose_host(scene: Scene) -> Hit:
    """Kill a host with all its processes; another one joins."""

    def lose(pid: int) -> bool:
        scene.hosts.lose(pid)
        scene.hosts.join()
        return True

    return strike(scene, scene.hosts.supervisors(), lose, _below)


def kill_coordinator(scene: Scene) -> Hit:
    """Kill a coordinator (SIGKILL)."""
    return strike(scene, scene.hosts.coordinators(), lambda pid: send(pid, signal.SIGKILL), lambda pid: set())


def freeze_worker(scene: Scene) -> Hit:
    """Stop a worker and its child (SIGSTOP) for longer than a lease, so that they resume work that was reassigned."""

    def freeze(pid: int) -> bool:
        frozen = [pid, *children(pid)]
        for process in frozen:
            send(process, signal.SIGSTOP)
            scene.after(FREEZE_LEASES * scene.lease_seconds, lambda process=process: send(process, signal.SIGCONT))  # type: ignore[misc]
        return True

    return strike(scene, scene.hosts.workers(), freeze, lambda pid: set(children(pid)))


def stop_child(scene: Scene) -> Hit:
    """Stop a process that computes (SIGSTOP) for ever, while its worker goes on: only that can end it."""
    return strike(scene, scene.hosts.computing(), lambda pid: send(pid, signal.SIGSTOP), lambda pid: {pid})


def late_joiner(scene: Scene) -> Hit:
    """Let a host join in the middle of a job."""
    if scene.hosts.working >= scene.most_hosts:
        return None
    scene.hosts.join()
    return set()


def early_leaver(scene: Scene) -> Hit:
    """Stop a host (SIGTERM) in the middle of a job."""
    if scene.hosts.working < 2:
        return None

    def leave(pid: int) -> bool:
        scene.hosts.leave(pid)
        return True

    return strike(scene, scene.hosts.supervisors(), leave, _below)


def change_version(scene: Scene) -> Hit:
    """Stop a host (SIGTERM) for one of another build, which must not touch the job; then the other way round."""
    if scene.hosts.working < 2:
        return None

    def change(pid: int) -> bool:
        scene.hosts.leave(pid)
        leave = scene.hosts.join_with_other_build()

        def change_back() -> None:
            leave()
            scene.hosts.join()

        scene.after(OTHER_VERSION_SECONDS, change_back)
        return True

    return strike(scene, scene.hosts.supervisors(), change, _below)


def _below(supervisor: int) -> set[int]:
    return {child for worker in children(supervisor) for child in children(worker)}
