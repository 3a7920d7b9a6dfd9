"""Lists the GPUs of this host by NVML, the driver's library. It never uses CUDA, which cannot be used after a fork."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """One physical GPU: its index in PCI bus order, its UUID, and the UUIDs of its MIG instances."""

    index: int
    uuid: str
    mig_uuids: tuple[str, ...] = ()


def list_gpus(*, say: Callable[[str], None] = lambda line: None) -> tuple[Gpu, ...] | None:
    """Return all GPUs of this host, whatever CUDA_VISIBLE_DEVICES is; None if there is no NVML to ask.

    Without a working driver, NVML knows of no GPU; `say` is then called with its error, such as a driver that does not
    fit its library.
    """
    try:
        import pynvml as nvml
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError_LibraryNotFound:
        return None
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


def _gpus(nvml: Any, say: Callable[[str], None]) -> Iterator[Gpu]:
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            yield Gpu(index, nvml.nvmlDeviceGetUUID(handle), tuple(_mig_uuids(nvml, handle)))
        except nvml.NVMLError as error:
            say(f"GPU {index} is left out: {error}")


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
