from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from virnucpro_tasks.embed.device import DeviceFacts, device_facts


def test_a_cpu_has_neither_driver_nor_cuda() -> None:
    assert device_facts("cpu") == DeviceFacts("cpu", None, None, str(torch.__version__))


def nvml(version: Any) -> SimpleNamespace:
    """A stand-in for NVML that answers with this version of the driver, or raises it."""

    class NVMLError(Exception):
        pass

    def answer() -> Any:
        if version is None:
            raise NVMLError
        return version

    return SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlSystemGetDriverVersion=answer,
    )


@pytest.mark.parametrize(("version", "driver"), [("570.86", "570.86"), (b"570.86", "570.86"), (None, None)])
def test_a_gpu_is_named_with_the_version_of_its_driver(
    monkeypatch: pytest.MonkeyPatch, version: Any, driver: str | None
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml(version))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda name: f"NVIDIA H200 of {name}")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert device_facts("cuda:1") == DeviceFacts("NVIDIA H200 of cuda:1", driver, "12.8", str(torch.__version__))


def test_a_driver_that_nothing_tells_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    assert device_facts("cuda").driver is None
