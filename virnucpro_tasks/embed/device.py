"""Facts about the device of this process: its name, and the versions of driver, CUDA and torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch

CPU = "cpu"


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """The name of a GPU, or cpu; the versions of its driver and of CUDA (None on a CPU, or unknown) and of torch."""

    device: str
    driver: str | None
    cuda: str | None
    torch: str


def device_facts(name: str) -> DeviceFacts:
    """The facts about the device that torch calls `name` (cpu, cuda, cuda:1), which is there."""
    version = str(torch.__version__)
    if torch.device(name).type != "cuda":
        return DeviceFacts(CPU, None, None, version)
    return DeviceFacts(torch.cuda.get_device_name(name), _driver_version(), torch.version.cuda, version)


def _driver_version() -> str | None:
    """The version of the NVIDIA driver; None if nothing tells it."""
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception:
        return None
    try:
        found = nvml.nvmlSystemGetDriverVersion()
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()
    return found.decode() if isinstance(found, bytes) else str(found)
