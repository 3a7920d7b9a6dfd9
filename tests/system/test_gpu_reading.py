"""What NVML tells of a GPU, with a module in the place of `pynvml`."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pynvml
import pytest

from virnucpro_tasks.system.gpu_reading import GpuReading, gpu_reading

GPU, MIG = "GPU-5d5b8f1e", "MIG-c7384736"


class Nvml(ModuleType):
    """The functions of NVML on a host with a GPU and a MIG instance, of which it knows the memory alone."""

    NVMLError = pynvml.NVMLError

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.open = 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid not in (GPU, MIG):
            raise pynvml.NVMLError_NotFound
        return uuid

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:
        return SimpleNamespace(used=30, total=80)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        if handle == MIG:
            raise pynvml.NVMLError_NotSupported
        return SimpleNamespace(gpu=97, memory=40)

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        if handle == MIG:
            raise pynvml.NVMLError_NotSupported
        return 612_500


@pytest.mark.parametrize(
    ("uuid", "expected"),
    [(GPU, GpuReading(30, 80, 0.97, 612.5)), (MIG, GpuReading(30, 80)), ("GPU-that-has-gone", None)],
)
def test_memory_use_and_power_as_far_as_the_driver_tells_them(
    uuid: str, expected: GpuReading | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert gpu_reading(uuid) == expected
    assert nvml.open == 0


@pytest.mark.parametrize("module", ["absent", "without a driver"])
def test_without_nvml_or_a_driver_nothing_is_told(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml()

    def no_driver() -> None:
        raise pynvml.NVMLError_LibraryNotFound

    nvml.nvmlInit = no_driver  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "pynvml", None if module == "absent" else nvml)
    assert gpu_reading(GPU) is None
