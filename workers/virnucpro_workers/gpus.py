"""Which GPUs the driver lists. Asks nvidia-smi, never CUDA: a parent that has touched CUDA cannot fork."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

LIST_SECONDS = 30
_GPU_LINE = re.compile(r"^GPU (\d+): .*\(UUID: (GPU-[^)]+)\)")
_MIG_LINE = re.compile(r"^\s+MIG .*\(UUID: (MIG-[^)]+)\)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One physical GPU: its index in PCI bus order, its UUID, and the UUIDs of its MIG instances."""

    index: int
    uuid: str
    mig_uuids: tuple[str, ...] = ()


def list_gpus() -> tuple[Gpu, ...] | None:
    """All GPUs of this host, CUDA_VISIBLE_DEVICES notwithstanding; None if nvidia-smi is not there to ask."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    try:
        listing = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=LIST_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_listing(listing.stdout)


def parse_listing(text: str) -> tuple[Gpu, ...]:
    """The output of `nvidia-smi -L`."""
    gpus: list[Gpu] = []
    for line in text.splitlines():
        if found := _GPU_LINE.match(line):
            gpus.append(Gpu(int(found[1]), found[2]))
        elif gpus and (found := _MIG_LINE.match(line)):
            last = gpus[-1]
            gpus[-1] = Gpu(last.index, last.uuid, (*last.mig_uuids, found[1]))
    return tuple(gpus)
