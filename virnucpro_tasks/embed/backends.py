"""Attention backends and precisions: their names, and what a host must have for them. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.system.devices import DeviceSlot
from virnucpro_tasks.system.gpus import Gpu

AUTO = "auto"
SDPA = "sdpa"
TORCH_VARLEN = "torch"
FLASH_ATTENTION = "flash-attn"
TRITON = "triton"
#: Best first; `auto` takes the first that runs.
BACKEND_NAMES = (TRITON, FLASH_ATTENTION, TORCH_VARLEN, SDPA)

FP8_ATTENTION = {"fp8": True, "fp8-ff": False}
"""The FP8 precisions, and whether attention has FP8 products too, or only the feed-forward parts."""
FP8_CAPABILITY = (8, 9)
"""The lowest CUDA compute capability with FP8 matrix units."""

PACKAGES = {TRITON: "triton", FLASH_ATTENTION: "flash_attn"}
INSTALLED_BY = {
    TRITON: "pip install triton, or use 'torch'",
    FLASH_ATTENTION: "pip install flash-attn --no-build-isolation",
}
CPU_BUILD = "+cpu"
"""End of the version of a torch that was built without CUDA."""


def require_backend(slots: Sequence[DeviceSlot], gpus: Sequence[Gpu], *, precision: str, attention: str) -> None:
    """Raise BackendError if one of the devices, or what is installed here, cannot run this precision and backend.

    What only a loaded torch or model can tell, such as the size of attention heads, is left to the worker.
    """
    for slot in slots:
        if slot.is_gpu:
            _require_on_gpu(slot, gpus, precision=precision, attention=attention)
        else:
            _require_on_cpu(precision=precision, attention=attention)


def fp8_needs_gpu(precision: str) -> BackendError:
    """The error for a device without FP8 matrix units."""
    least = ".".join(map(str, FP8_CAPABILITY))
    return BackendError(
        f"{precision} needs a CUDA device of compute capability {least} or more", hint="use fp16 or fp32"
    )


def require_fp8_backend(precision: str, attention: str) -> None:
    """Raise BackendError unless the backend may be the one that feeds FP8 matrix units."""
    if attention not in (AUTO, TRITON):
        raise BackendError(
            f"{precision} runs with the attention backend triton only, not {attention}", hint="leave --attention away"
        )


def needs_cuda(attention: str, device_kind: str) -> BackendError:
    """The error for a GPU backend on another device."""
    return BackendError(
        f"attention backend {attention!r} needs a CUDA device, not {device_kind!r}", hint="use 'sdpa' or 'auto' here"
    )


def half_precision_only(attention: str) -> BackendError:
    """The error for a GPU backend in FP32."""
    return BackendError(
        f"attention backend {attention!r} computes in FP16 or BF16 only",
        hint="use 'sdpa', or precision fp16 or bf16",
    )


def _require_on_cpu(*, precision: str, attention: str) -> None:
    if precision in FP8_ATTENTION:
        raise fp8_needs_gpu(precision)
    if attention not in (AUTO, SDPA):
        raise needs_cuda(attention, "cpu")


def _require_on_gpu(slot: DeviceSlot, gpus: Sequence[Gpu], *, precision: str, attention: str) -> None:
    if _torch_version().endswith(CPU_BUILD):
        raise BackendError(
            f"torch {_torch_version()} was built without CUDA, so it cannot use {slot.name}",
            hint="install a CUDA build of torch, or use cpu",
        )
    if precision in FP8_ATTENTION:
        require_fp8_backend(precision, attention)
        capability = _capability(slot, gpus)
        if capability is not None and capability < FP8_CAPABILITY:
            raise fp8_needs_gpu(precision)
    if attention in (AUTO, SDPA):
        return
    if precision == "fp32":
        raise half_precision_only(attention)
    if attention in PACKAGES and find_spec(PACKAGES[attention]) is None:
        raise BackendError(f"attention backend {attention!r} is not installed", hint=INSTALLED_BY[attention])


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def _capability(slot: DeviceSlot, gpus: Sequence[Gpu]) -> tuple[int, int] | None:
    """The compute capability of the GPU of a slot; None if it is not known."""
    device = slot.cuda_visible_devices
    for gpu in gpus:
        if device == str(gpu.index) or any(uuid.startswith(device) for uuid in (gpu.uuid, *gpu.mig_uuids)):
            return gpu.capability
    return None
