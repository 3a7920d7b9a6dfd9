"""GPUs as NVML lists them, with a module in the place of `pynvml`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pynvml
import pytest

from virnucpro_tasks.system.gpus import Gpu, list_gpus

FIRST = "GPU-5d5b8f1e-0000-1111-2222-333344445555"
SECOND = "GPU-6e6b8f1e-0000-1111-2222-333344445555"
MIG = ("MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-GPU-6e6b8f1e-0000/7/0")


class Nvml(ModuleType):
    """The functions of NVML on a host with these GPUs: their UUIDs, each with its MIG slots; None is an empty slot."""

    NVMLError = pynvml.NVMLError
    NVMLError_LibraryNotFound = pynvml.NVMLError_LibraryNotFound

    def __init__(self, gpus: dict[str, tuple[str | None, ...]], *, fails: type[Exception] | None = None) -> None:
        super().__init__("pynvml")
        self.gpus = gpus
        self.fails = fails
        self.open = 0

    def nvmlInit(self) -> None:
        if self.fails:
            raise self.fails
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        uuid = list(self.gpus)[index]
        if uuid == "lost":
            raise pynvml.NVMLError_GpuIsLost
        return uuid

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return handle

    def nvmlDeviceGetCudaComputeCapability(self, handle: str) -> list[int]:
        if handle == SECOND:
            raise pynvml.NVMLError_NotSupported
        return [9, 0]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: str) -> int:
        if not self.gpus[handle]:
            raise pynvml.NVMLError_NotSupported
        return len(self.gpus[handle])

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: str, slot: int) -> str:
        if (uuid := self.gpus[handle][slot]) is None:
            raise pynvml.NVMLError_NotFound
        return uuid


SAID: list[str] = []


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    SAID.clear()


def listed(
    monkeypatch: pytest.MonkeyPatch, nvml: Nvml | None, *, devices: Path = Path("/nonexistent")
) -> tuple[Gpu, ...] | None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return list_gpus(say=SAID.append, devices=devices)


def test_gpus_with_and_without_mig(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml({FIRST: (), SECOND: (MIG[0], None, MIG[1])})
    assert listed(monkeypatch, nvml) == (Gpu(0, FIRST, capability=(9, 0)), Gpu(1, SECOND, MIG))
    assert nvml.open == 0


def test_a_gpu_that_is_lost_is_left_out_and_the_others_keep_their_index(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listed(monkeypatch, Nvml({"lost": (), SECOND: ()})) == (Gpu(1, SECOND),)
    assert SAID[0].startswith("GPU 0 is left out: ")


def test_a_driver_that_does_not_work_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listed(monkeypatch, Nvml({}, fails=pynvml.NVMLError_DriverNotLoaded)) == ()
    assert listed(monkeypatch, Nvml({}, fails=pynvml.NVMLError_LibRmVersionMismatch)) == ()
    assert [line.partition(": ")[0] for line in SAID] == ["the NVIDIA driver does not list GPUs"] * 2


def test_an_error_of_closing_nvml_hides_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Nvml):
        def nvmlShutdown(self) -> None:
            raise pynvml.NVMLError_Uninitialized

    assert listed(monkeypatch, Failing({FIRST: ()})) == (Gpu(0, FIRST, capability=(9, 0)),)


def test_without_the_driver_or_the_package_only_files_of_devices_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library_not_found = Nvml({}, fails=pynvml.NVMLError_LibraryNotFound)
    assert listed(monkeypatch, library_not_found, devices=tmp_path) == ()
    assert listed(monkeypatch, None, devices=tmp_path) == ()
    (tmp_path / "nvidiactl").touch()
    assert listed(monkeypatch, library_not_found, devices=tmp_path) is None
    assert listed(monkeypatch, None, devices=tmp_path) is None
