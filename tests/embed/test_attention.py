from __future__ import annotations

import sys

import pytest
import torch

from virnucpro_tasks.embed.alibi import alibi_bias, alibi_slopes
from virnucpro_tasks.embed.attention import AttentionRequirements, attend_sdpa, resolve_backend
from virnucpro_tasks.embed.backends import BACKEND_NAMES
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.errors import BackendError

LENGTHS = [5, 5, 2, 9, 1, 5]


def written_out(query, key, value, lengths, bias):
    """Softmax attention of each sequence by itself, in FP64."""
    parts = []
    for q, k, v in zip(*(packed.double().split(lengths) for packed in (query, key, value)), strict=True):
        scores = torch.einsum("ihd,jhd->hij", q, k) / q.shape[-1] ** 0.5
        if bias is not None:
            scores = scores + bias[:, : len(q), : len(q)]
        parts.append(torch.einsum("hij,jhd->ihd", scores.softmax(-1), v))
    return torch.cat(parts)


@pytest.mark.parametrize("biased", [False, True])
def test_sdpa_attends_inside_each_sequence_only(biased):
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(sum(LENGTHS), 12, 8, generator=generator) for _ in range(3))
    bias = alibi_bias(alibi_slopes(12), max(LENGTHS)) if biased else None
    mixed = attend_sdpa(query, key, value, Segments.of(LENGTHS), bias=bias)
    expected = written_out(query, key, value, LENGTHS, bias).float()
    torch.testing.assert_close(mixed, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["auto", "sdpa"])
def test_the_cpu_gets_sdpa(name):
    assert resolve_backend(name, "cpu").name == "sdpa"


@pytest.mark.parametrize("name", ["flash-attn", "torch"])
def test_kernels_for_cuda_are_refused_on_the_cpu(name):
    with pytest.raises(BackendError, match=f"'{name}' needs a CUDA device"):
        resolve_backend(name, "cpu")


def test_an_unknown_backend_is_refused_with_the_names_there_are():
    with pytest.raises(BackendError) as caught:
        resolve_backend("xformers", "cpu")
    assert all(name in caught.value.hint for name in ("auto", *BACKEND_NAMES))


def test_an_absent_package_is_refused_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    with pytest.raises(BackendError, match="pip install flash-attn"):
        resolve_backend("flash-attn", "cuda")


@pytest.fixture
def without_triton(monkeypatch):
    """As where the package triton is not installed: a CUDA build of torch brings it."""
    monkeypatch.setitem(sys.modules, "virnucpro_tasks.embed.kernels.attention", None)


@pytest.mark.usefixtures("without_triton")
@pytest.mark.parametrize(
    ("requirements", "reason"),
    [
        (AttentionRequirements(dtype=torch.float16, head_dim=64, biased=True), "ALiBi"),
        (AttentionRequirements(dtype=torch.float32, head_dim=64, biased=False), "FP16 or BF16"),
        (AttentionRequirements(dtype=torch.float16, head_dim=10, biased=False), "heads of 10"),
    ],
)
@pytest.mark.parametrize("name", ["flash-attn", "torch"])
def test_what_a_kernel_cannot_compute_is_refused_when_named_and_sdpa_when_automatic(name, requirements, reason):
    with pytest.raises(BackendError, match=reason):
        resolve_backend(name, "cuda", requirements)
    assert resolve_backend("auto", "cuda", requirements).name == "sdpa"


@pytest.mark.usefixtures("without_triton")
def test_automatic_takes_the_varlen_kernel_of_torch_where_flash_attention_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    requirements = AttentionRequirements(dtype=torch.float16, head_dim=64, biased=False)
    backend = resolve_backend("auto", "cuda", requirements)
    assert backend.name == "torch"
    with pytest.raises(BackendError, match="ALiBi"):
        backend.attend(*(torch.zeros(1, 1, 8),) * 3, Segments.of([1]), bias=torch.zeros(1, 1, 1))
