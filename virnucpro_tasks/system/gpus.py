"""Lists the GPUs of this host by NVML, the driver's library. It never uses CUDA, which cannot be used after a fork."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virnucpro_tasks.system.isolation import import_installed


@dataclass(frozen=True, slots=True)
class Gpu:
    """One physical GPU: its index in PCI bus order, its UUID, the UUIDs of its MIG instances, and its compute
    capability, None if the driver does not tell.
    """

    index: int
    uuid: str
    mig_uuids: tuple[str, ...] = ()
    capability: tuple[int, int] | None = None


DEVICE_FILES = ("nvidiactl", "nvidia0", "nvhost-gpu", "dxg")
"""Files in /dev that a host with an NVIDIA GPU has: those of the driver, of Tegra, of Windows below Linux."""


def list_gpus(
    *, say: Callable[[str], None] = lambda line: None, devices: Path = Path("/dev")
) -> tuple[Gpu, ...] | None:
    """Return all GPUs of this host, whatever CUDA_VISIBLE_DEVICES is; None if there is no NVML to ask, but a GPU.

    Without a working driver, NVML knows of no GPU; `say` is then called with its error, such as a driver that does not
    fit its library.
    """
    try:
        nvml = import_installed("pynvml")
    except ImportError:
        return _unlisted(devices)
    try:
        nvml.nvmlInit()
    except nvml.NVMLError_LibraryNotFound:
        return _unlisted(devices)
    except nvml.NVMLError as error:
        say(f"the NVIDIA driver does not list GPUs: {error}")
        return ()
    try:
        return tuple(_gpus(nvml, say))
    except nvml.NVMLError as error:
        say(f"the NVIDIA driver does not list GPUs: {error}")
        return ()
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _unlisted(devices: Path) -> tuple[Gpu, ...] | None:
    """No GPU where the driver has made no file in /dev; None, which is unknown, where it has."""
    return None if any((devices / name).exists() for name in DEVICE_FILES) else ()


def _gpus(nvml: Any, say: Callable[[str], None]) -> Iterator[Gpu]:
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid, mig_uuids = nvml.nvmlDeviceGetUUID(handle), tuple(_mig_uuids(nvml, handle))
            yield Gpu(index, uuid, mig_uuids, _capability(nvml, handle))
        except nvml.NVMLError as error:
            say(f"GPU {index} is left out: {error}")


def _capability(nvml: Any, gpu: Any) -> tuple[int, int] | None:
    try:
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(gpu)
    except nvml.NVMLError:
        return None
    return major, minor


def _mig_uuids(nvml: Any, gpu: Any) -> Iterator[str]:
    try:
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(gpu)
    except nvml.NVMLError:
        return
    for slot in range(most):
        try:
            yield nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, slot))
        except nvml.NVMLError:
            continue  # no MIG instance in this slot
