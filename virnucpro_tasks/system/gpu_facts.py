"""Reads facts about each GPU from its driver, for a person who chooses one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from virnucpro_tasks.system.devices import visible_devices
from virnucpro_tasks.system.gpus import Gpu
from virnucpro_tasks.system.isolation import import_installed


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """A GPU: its index in bus order, name, memory in bytes (None if unknown), and whether workers may use it."""

    index: int
    name: str
    total_bytes: int | None
    free_bytes: int | None
    capability: tuple[int, int] | None
    is_visible: bool


def gpu_facts(gpus: tuple[Gpu, ...], *, mask: str | None) -> list[GpuFacts]:
    """The facts on each of `gpus`; `mask` is CUDA_VISIBLE_DEVICES, None if unset."""
    visible = visible_devices(mask, gpus) or ()
    told = _told_by_driver()
    facts = []
    for gpu in gpus:
        name, total, free = told.get(gpu.index, ("GPU", None, None))
        names = {str(gpu.index), gpu.uuid, *gpu.mig_uuids}
        is_visible = any(word in names or gpu.uuid.startswith(word) for word in visible)
        facts.append(GpuFacts(gpu.index, name, total, free, gpu.capability, is_visible))
    return facts


def _told_by_driver() -> Mapping[int, tuple[str, int | None, int | None]]:
    """Name, memory and free memory of each GPU by its index; empty without a working driver."""
    try:
        nvml = import_installed("pynvml")
        nvml.nvmlInit()
    except Exception:  # of NVML, which may be absent
        return {}
    told: dict[int, tuple[str, int | None, int | None]] = {}
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            with suppress(nvml.NVMLError):
                gpu = nvml.nvmlDeviceGetHandleByIndex(index)
                name = nvml.nvmlDeviceGetName(gpu)
                told[index] = (name if isinstance(name, str) else name.decode(), None, None)
                memory = nvml.nvmlDeviceGetMemoryInfo(gpu)
                told[index] = (told[index][0], int(memory.total), int(memory.free))
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()
    return told


def driver_version() -> str:
    """The version of the NVIDIA driver; empty without a working one."""
    try:
        nvml = import_installed("pynvml")
        nvml.nvmlInit()
    except Exception:  # of NVML, which may be absent
        return ""
    try:
        found = nvml.nvmlSystemGetDriverVersion()
        return found if isinstance(found, str) else str(found.decode())
    except nvml.NVMLError:
        return ""
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()
