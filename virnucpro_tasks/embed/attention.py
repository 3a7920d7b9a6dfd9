"""Attention inside the sequences of a pack, by named backends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional

from virnucpro_tasks.embed.backends import (
    AUTO,
    BACKEND_NAMES,
    FLASH_ATTENTION,
    INSTALLED_BY,
    SDPA,
    TORCH_VARLEN,
    TRITON,
    half_precision_only,
    needs_cuda,
)
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.errors import BackendError

_KERNEL_DTYPES = (torch.float16, torch.bfloat16)
_KERNEL_MAX_HEAD_DIM = 256
_KERNEL_HEAD_DIM_MULTIPLE = 8


class Attend(Protocol):
    """(T, heads, head_dim) queries, keys, values to (T, heads, head_dim); softmax scale 1 / sqrt(head_dim).

    `bias` (heads, max_seqlen, max_seqlen), in the queries' dtype, is added to the scores; only sdpa takes one.
    """

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, segments: Segments, *, bias: Tensor | None = None
    ) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class AttentionBackend:
    """A backend that is available: its name, and the function."""

    name: str
    attend: Attend


@dataclass(frozen=True, slots=True)
class AttentionRequirements:
    """The properties of a model that its attention backend must support."""

    dtype: torch.dtype
    head_dim: int
    biased: bool


def resolve_backend(
    name: str, device: torch.device | str, requirements: AttentionRequirements | None = None
) -> AttentionBackend:
    """The backend called `name` on `device`; `auto` gives the best one that is available there.

    With `requirements`, it must also support a model of that dtype, head size and bias. Raises BackendError for a name
    that is unknown, or a backend that is not installed, does not run on that device or does not meet them.
    """
    kind = torch.device(device).type
    if name == AUTO:
        for candidate in BACKEND_NAMES:
            try:
                return _available(candidate, kind, requirements)
            except BackendError:
                continue
    return _available(name, kind, requirements)


def attend_sdpa(query: Tensor, key: Tensor, value: Tensor, segments: Segments, *, bias: Tensor | None = None) -> Tensor:
    """Attend's contract by torch's scaled_dot_product_attention: one call per run of sequences of equal length."""
    parts = []
    for run in segments.runs:
        q, k, v = (run.of(packed).transpose(1, 2) for packed in (query, key, value))
        mask = None if bias is None else bias[:, : run.length, : run.length]
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        parts.append(mixed.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


def _available(name: str, device_kind: str, requirements: AttentionRequirements | None) -> AttentionBackend:
    if name == SDPA:
        return AttentionBackend(SDPA, attend_sdpa)
    makers: dict[str, Callable[[], Attend]] = {
        TRITON: _triton,
        FLASH_ATTENTION: _flash_attention,
        TORCH_VARLEN: _torch_varlen,
    }
    if name not in makers:
        raise BackendError(
            f"there is no attention backend {name!r}", hint=f"choose one of {', '.join((AUTO, *BACKEND_NAMES))}"
        )
    if device_kind != "cuda":
        raise needs_cuda(name, device_kind)
    if requirements is not None:
        _check(name, requirements)
    return AttentionBackend(name, makers[name]())


def _check(name: str, requirements: AttentionRequirements) -> None:
    if requirements.biased and name != TRITON:
        raise BackendError(f"attention backend {name!r} adds no ALiBi bias", hint="use 'sdpa' for this model")
    if requirements.dtype not in _KERNEL_DTYPES:
        raise half_precision_only(name)
    if requirements.head_dim % _KERNEL_HEAD_DIM_MULTIPLE or requirements.head_dim > _KERNEL_MAX_HEAD_DIM:
        raise BackendError(
            f"attention backend {name!r} has no kernel for heads of {requirements.head_dim}",
            hint="use 'sdpa' or 'auto'",
        )


def _triton() -> Attend:
    try:
        from virnucpro_tasks.embed.kernels.attention import plain_attention
    except ImportError as error:
        raise BackendError(
            f"attention backend 'triton' cannot be imported: {error}", hint=INSTALLED_BY[TRITON]
        ) from None

    def attend(query: Tensor, key: Tensor, value: Tensor, segments: Segments, *, bias: Tensor | None = None) -> Tensor:
        _refuse_bias(TRITON, bias)
        return plain_attention(query, key, value, segments.cu_seqlens, max_seqlen=segments.max_seqlen)

    return attend


def _flash_attention() -> Attend:
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError as error:
        raise BackendError(
            f"attention backend 'flash-attn' cannot be imported: {error}",
            hint=INSTALLED_BY[FLASH_ATTENTION],
        ) from None

    def attend(query: Tensor, key: Tensor, value: Tensor, segments: Segments, *, bias: Tensor | None = None) -> Tensor:
        _refuse_bias(FLASH_ATTENTION, bias)
        bounds, longest = segments.cu_seqlens, segments.max_seqlen
        return flash_attn_varlen_func(query, key, value, bounds, bounds, longest, longest)

    return attend


def _torch_varlen() -> Attend:
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError as error:
        raise BackendError(
            f"attention backend 'torch' is not in torch {torch.__version__}: {error}", hint="pip install 'torch>=2.10'"
        ) from None

    def attend(query: Tensor, key: Tensor, value: Tensor, segments: Segments, *, bias: Tensor | None = None) -> Tensor:
        _refuse_bias(TORCH_VARLEN, bias)
        bounds, longest = segments.cu_seqlens, segments.max_seqlen
        return cast(Tensor, varlen_attn(query, key, value, bounds, bounds, longest, longest))

    return attend


def _refuse_bias(name: str, bias: Tensor | None) -> None:
    if bias is not None:
        raise BackendError(f"attention backend {name!r} adds no ALiBi bias", hint="use 'sdpa' for this model")
