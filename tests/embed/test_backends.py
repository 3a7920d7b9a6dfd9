"""Devices, precisions and backends that are refused before torch is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from virnucpro_tasks.embed import backends
from virnucpro_tasks.embed.backends import require_backend
from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.settings import ATTENTION_BACKENDS, PRECISIONS
from virnucpro_tasks.system.devices import DeviceSlot
from virnucpro_tasks.system.gpus import Gpu

CPU, FIRST, SECOND = DeviceSlot("cpu0", ""), DeviceSlot("gpu0", "0"), DeviceSlot("gpu-2aaa", "GPU-2aaa")
GPUS = (Gpu(0, "GPU-1aaa", capability=(9, 0)), Gpu(1, "GPU-2aaa-1111", capability=(8, 0)))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Packages of backends that are installed, and a torch with CUDA."""
    packages = {"triton"}
    monkeypatch.setattr(backends, "find_spec", lambda name: name if name in packages else None)
    monkeypatch.setattr(backends, "version", lambda _: "2.10.0+cu128")
    return packages


def require(*slots: DeviceSlot, precision: str = "fp16", attention: str = "auto") -> None:
    require_backend(slots, GPUS, precision=precision, attention=attention)


@pytest.mark.parametrize(
    ("slots", "precision", "attention", "says"),
    [
        ((CPU,), "fp8", "auto", "fp8 needs a CUDA device of compute capability 8.9"),
        ((CPU,), "fp8-ff", "sdpa", "fp8-ff needs a CUDA device"),
        ((CPU,), "fp32", "triton", "'triton' needs a CUDA device, not 'cpu'"),
        ((CPU,), "fp32", "flash-attn", "'flash-attn' needs a CUDA device"),
        ((CPU,), "fp32", "torch", "'torch' needs a CUDA device"),
        ((FIRST, CPU), "fp16", "triton", "'triton' needs a CUDA device, not 'cpu'"),
        ((SECOND,), "fp8", "auto", "compute capability 8.9 or more"),
        ((FIRST, SECOND), "fp8", "auto", "compute capability 8.9 or more"),
        ((FIRST,), "fp8", "sdpa", "fp8 runs with the attention backend triton only, not sdpa"),
        ((FIRST,), "fp32", "triton", "'triton' computes in FP16 or BF16 only"),
        ((FIRST,), "fp16", "flash-attn", "'flash-attn' is not installed .pip install flash-attn"),
    ],
)
def test_refused(slots: tuple[DeviceSlot, ...], precision: str, attention: str, says: str) -> None:
    with pytest.raises(BackendError, match=says):
        require(*slots, precision=precision, attention=attention)


def test_what_can_run_is_not_refused(installed: set[str]) -> None:
    for precision in ("fp32", "fp16", "bf16"):
        require(CPU, FIRST, precision=precision)
        require(CPU, FIRST, precision=precision, attention="sdpa")
    for attention in ("triton", "torch"):
        require(FIRST, SECOND, attention=attention)
    require(FIRST, precision="fp8")
    installed.add("flash_attn")
    require(FIRST, attention="flash-attn")


def test_a_torch_for_cpus_only_cannot_use_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "version", lambda _: "2.10.0+cpu")
    require(CPU)
    with pytest.raises(BackendError, match=r"torch 2\.10\.0\+cpu was built without CUDA, so it cannot use gpu0"):
        require(FIRST)


def test_the_names_are_those_of_the_settings() -> None:
    assert set(ATTENTION_BACKENDS) == {backends.AUTO, *backends.BACKEND_NAMES}
    assert set(backends.FP8_ATTENTION) < set(PRECISIONS)


def test_no_torch_is_loaded() -> None:
    program = "import sys, virnucpro_tasks.cli.preflight; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"
