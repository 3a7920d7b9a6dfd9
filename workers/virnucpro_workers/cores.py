"""Counts the processor cores that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def available_cores() -> int:
    """Return the number of cores in the affinity mask, or the control group's CPU quota (cgroup v2) if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = quota_cores(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def quota_cores(membership: Path, root: Path) -> float | None:
    """Return the lowest `cpu.max` from this process's control group up to the root, in cores; None if there is none."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    group = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    if group is None:
        return None
    quotas = []
    folder = root / group.lstrip("/")
    for candidate in (folder, *folder.parents):
        if candidate == root.parent:
            break
        try:
            limit, period = (candidate / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if limit != "max":
            quotas.append(int(limit) / int(period))
    return min(quotas, default=None)
