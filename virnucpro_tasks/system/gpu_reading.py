"""Reads what a GPU is doing now, by NVML: memory, use and power, whichever process takes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from virnucpro_tasks.system.isolation import import_installed


class GpuReading(msgspec.Struct, frozen=True):
    """Memory in bytes, share of the last moment (up to a second) in which it computed, and power in watts.

    What the driver does not tell is None: for a MIG instance all but its memory.
    """

    used_bytes: int | None = None
    total_bytes: int | None = None
    busy_share: float | None = None
    watts: float | None = None


def gpu_reading(uuid: str) -> GpuReading | None:
    """Read the GPU or MIG instance with this UUID; None without NVML or a working driver, or if it has gone."""
    try:
        nvml = import_installed("pynvml")
        nvml.nvmlInit()
    except Exception:  # of NVML, which may be absent
        return None
    try:
        gpu = nvml.nvmlDeviceGetHandleByUUID(uuid)

        def told(question: Callable[[Any], Any]) -> Any:
            with suppress(nvml.NVMLError):
                return question(gpu)
            return None

        memory = told(nvml.nvmlDeviceGetMemoryInfo)
        rates = told(nvml.nvmlDeviceGetUtilizationRates)
        milliwatts = told(nvml.nvmlDeviceGetPowerUsage)
        return GpuReading(
            used_bytes=None if memory is None else int(memory.used),
            total_bytes=None if memory is None else int(memory.total),
            busy_share=None if rates is None else rates.gpu / 100,
            watts=None if milliwatts is None else milliwatts / 1_000,
        )
    except nvml.NVMLError:
        return None
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()
