"""Limits of this host: cores, memory, processes and open files, from affinity, control groups and rlimits.

Each function reads files below the folders that it is given, so that tests can give it others.
"""

from __future__ import annotations

import math
import os
import platform
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import LimitError

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

LEAST_OPEN_FILES = 128
"""Open files that each process of a run may need: connections to Redis, pipes to children, files of a shard."""

MOST_OPEN_FILES = 4096

_NO_LIMIT_BYTES = 1 << 60
"""A control group of version 1 without a memory limit says a number above this."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that processes of this host, or of this control group, may use: all of them, and those that are free."""

    limit_bytes: int
    free_bytes: int


def available_cores(*, proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Return the number of cores that this process may use: the least that affinity, cpuset and CPU quota allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    limits = [limit for limit in (quota_cores(proc, cgroups), cpuset_cores(proc, cgroups)) if limit is not None]
    return max(1, min([cores, *map(math.ceil, limits)]))


def quota_cores(proc: Path = PROC, cgroups: Path = CGROUPS) -> float | None:
    """Return the lowest CPU quota of this process's control groups up to the root, in cores; None if there is none."""
    quotas = []
    for folder in group_folders("cpu", proc, cgroups):
        limit, _, period = (_text(folder / "cpu.max") or "").partition(" ")
        limit = limit or _text(folder / "cpu.cfs_quota_us") or ""
        period = period or _text(folder / "cpu.cfs_period_us") or ""
        if limit.isdigit() and period.isdigit() and int(limit) and int(period):  # "max", or -1, is no limit
            quotas.append(int(limit) / int(period))
    return min(quotas, default=None)


def cpuset_cores(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return the number of cores in the effective cpuset of this process's control group; None if it names none."""
    for folder in group_folders("cpuset", proc, cgroups):
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
            if count := _count_of_list(_text(folder / name) or ""):
                return count
    return None


def memory(*, proc: Path = PROC, cgroups: Path = CGROUPS) -> Memory | None:
    """Return the memory of this host or, where that is less, of a control group; None if neither can be read."""
    known = []
    host = _table(proc / "meminfo")
    if "MemTotal" in host:
        known.append(Memory(host["MemTotal"] * 1024, host.get("MemAvailable", host["MemTotal"]) * 1024))
    for folder in group_folders("memory", proc, cgroups):
        limit = _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes") or ""
        if not limit.isdigit() or int(limit) >= _NO_LIMIT_BYTES:
            continue
        used = _text(folder / "memory.current") or _text(folder / "memory.usage_in_bytes") or "0"
        counts = _table(folder / "memory.stat")
        # Files that are only cached give way.
        cached = sum(counts.get(f"total_{kind}", counts.get(kind, 0)) for kind in ("inactive_file", "active_file"))
        known.append(Memory(int(limit), max(0, int(limit) - max(0, int(used) - cached))))
    if not known:
        return None
    return Memory(min(each.limit_bytes for each in known), min(each.free_bytes for each in known))


def oom_kills(*, proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Return how many processes the kernel has killed for lack of memory, in this control group or on this host."""
    counts = [_table(proc / "vmstat").get("oom_kill", 0)]
    for folder in group_folders("memory", proc, cgroups):
        counts.append(_table(folder / "memory.events").get("oom_kill", 0))
        counts.append(_table(folder / "memory.oom_control").get("oom_kill", 0))
    return max(counts)


def most_processes(*, proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return how many more processes and threads the control groups allow; None if they set no limit."""
    room = []
    for folder in group_folders("pids", proc, cgroups):
        limit, current = _text(folder / "pids.max") or "", _text(folder / "pids.current") or "0"
        if limit.isdigit():
            room.append(max(0, int(limit) - int(current)))
    return min(room, default=None)


def group_folders(controller: str, proc: Path, cgroups: Path) -> Iterator[Path]:
    """Yield the folders of this process's control group and of those above it, for a controller of either version.

    A container may see its own group as the root, although `/proc/self/cgroup` has the path from the host's root: then
    the longest end of the path that exists below the root counts.
    """
    seen = set()
    for line in (_text(proc / "self" / "cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            roots = [cgroups, cgroups / "unified"]
        elif controller in names.split(","):
            roots = [cgroups / names, cgroups / controller]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for root in roots:
            ends = (root.joinpath(*parts[start:]) for start in range(len(parts) + 1))
            folder = next((end for end in ends if end.is_dir()), None)
            while folder is not None and folder != root.parent:
                if folder not in seen:
                    seen.add(folder)
                    yield folder
                folder = folder.parent


def processor_features(*, proc: Path = PROC) -> frozenset[str]:
    """Return the instruction sets that the processor names, as `avx2`; empty if it names none."""
    for line in (_text(proc / "cpuinfo") or "").splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(words.split())
    return frozenset()


def processor_model(*, proc: Path = PROC) -> str:
    """Return the processor's own name, or its architecture if it has none."""
    for line in (_text(proc / "cpuinfo") or "").splitlines():
        name, _, words = line.partition(":")
        if name.strip() == "model name" and words.strip():
            return " ".join(words.split())
    return platform.machine()


def describe_processor(features: frozenset[str], machine: str) -> str:
    """Return the instruction sets that matter to PyTorch, and a warning for a processor without them."""
    if machine not in ("x86_64", "AMD64"):
        return machine
    if "avx512f" in features:
        return "AVX-512"
    if "avx2" in features:
        return "AVX2"
    return "no AVX2: PyTorch computes far slower here, and some builds of it end with SIGILL (illegal instruction)"


def raise_open_files(least: int = LEAST_OPEN_FILES) -> None:
    """Allow this process and its children as many open files as the hard limit allows, MOST_OPEN_FILES at most.

    Raises LimitError if those are less than `least`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < least:
        raise LimitError(
            f"only {hard} open files are allowed (ulimit -n), at least {least} are needed",
            hint=f"ulimit -n {max(1024, least)}, or ask for a higher hard limit",
        )
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def require_semaphores() -> None:
    """Raise LimitError if this host gives no semaphores, without which there are no pools of processes.

    On Linux they are files in /dev/shm, which may be missing, full, or mounted read-only.
    """
    import multiprocessing

    try:
        multiprocessing.get_context("fork").Lock()
    except (OSError, ImportError) as error:
        raise LimitError(
            f"processes cannot share memory: /dev/shm: {getattr(error, 'strerror', None) or error}",
            hint="mount a writable tmpfs with some room there, as 'docker run --shm-size 64m' does",
        ) from error


def _text(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except (OSError, ValueError):
        return None


def _table(file: Path) -> dict[str, int]:
    """Return the numbers of a file of lines such as `oom_kill 3` or `MemTotal:  12 kB`."""
    table = {}
    for line in (_text(file) or "").splitlines():
        words = line.replace(":", " ").split()
        if len(words) >= 2 and words[1].isdigit():
            table[words[0]] = int(words[1])
    return table


def _count_of_list(text: str) -> int:
    """Return how many numbers a list such as `0-3,8` has; 0 for anything else."""
    count = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            return 0
        count += int(last or first) - int(first) + 1
    return count
