"""Every kernel against unfused operations in FP32."""

from __future__ import annotations

import math

import pytest
import torch
from gpu.conftest import relative_error
from torch.nn import functional

from virnucpro_tasks.embed.alibi import alibi_bias, alibi_slopes
from virnucpro_tasks.embed.attention import attend_sdpa
from virnucpro_tasks.embed.rotary import apply_rotary, inverse_frequencies, rotary_table
from virnucpro_tasks.embed.segments import Segments

pytestmark = pytest.mark.gpu

LENGTHS = [3, 5, 64, 65, 17, 130, 52, 1_024, 300, 128, 192]
HALF_TOLERANCE = {torch.float16: 1e-3, torch.bfloat16: 6e-3}
"""Bound of the relative error by rounding of operands and result: twice the largest that was measured."""

half_types = pytest.mark.parametrize("dtype", HALF_TOLERANCE, ids=str)


def random(shape: tuple[int, ...], device: torch.device, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, device=device, generator=torch.Generator(device).manual_seed(seed))


@half_types
@pytest.mark.parametrize(("heads", "head_dim"), [(20, 16), (20, 24), (20, 32), (40, 64), (40, 128)])
def test_attention(cuda: torch.device, heads: int, head_dim: int, dtype: torch.dtype) -> None:
    from virnucpro_tasks.embed.kernels.attention import alibi_attention, plain_attention, rotary_attention

    segments = Segments.of(LENGTHS, device=cuda)
    longest = segments.max_seqlen
    qkv, bias = random((sum(LENGTHS), 3 * heads * head_dim), cuda).to(dtype), random((3 * heads * head_dim,), cuda, 1)
    query, key, value = (qkv.float() + bias).unflatten(-1, (3, heads, head_dim)).unbind(1)
    frequencies = inverse_frequencies(head_dim).to(cuda)
    table = rotary_table(segments.positions, frequencies)
    expected = attend_sdpa(apply_rotary(query, table), apply_rotary(key, table), value, segments).flatten(1)
    cosine, sine = (part[:, 0].contiguous() for part in rotary_table(torch.arange(longest, device=cuda), frequencies))
    found = rotary_attention(qkv, bias, segments.cu_seqlens, (cosine, sine), heads=heads, max_seqlen=longest)
    assert relative_error(found, expected) < HALF_TOLERANCE[dtype]
    slopes = alibi_slopes(heads).to(cuda)
    expected = attend_sdpa(query, key, value, segments, bias=alibi_bias(slopes, longest)).flatten(1)
    found = alibi_attention(qkv, bias, segments.cu_seqlens, slopes, heads=heads, max_seqlen=longest)
    assert relative_error(found, expected) < HALF_TOLERANCE[dtype]
    query, key, value = qkv.float().unflatten(-1, (3, heads, head_dim)).unbind(1)
    expected = attend_sdpa(query, key, value, segments)
    parts = qkv.unflatten(-1, (3, heads, head_dim)).unbind(1)
    assert relative_error(plain_attention(*parts, segments.cu_seqlens, max_seqlen=longest), expected) < 1e-2


@half_types
@pytest.mark.parametrize(("tokens", "width"), [(1, 320), (777, 2560), (64, 5120), (5, 96)])
def test_layer_norm(cuda: torch.device, tokens: int, width: int, dtype: torch.dtype) -> None:
    from virnucpro_tasks.embed.kernels.layer_norm import layer_norm

    states = random((tokens, width), cuda).to(dtype)
    offset, weight, bias = (random((width,), cuda, seed) for seed in (1, 2, 3))
    expected = functional.layer_norm(states.float() + offset, (width,), weight, bias, 1e-5)
    assert relative_error(layer_norm(states, offset, weight, bias, eps=1e-5), expected) < HALF_TOLERANCE[dtype]


@half_types
@pytest.mark.parametrize(("tokens", "width"), [(1, 1280), (777, 10240), (6, 384)])
def test_gelu(cuda: torch.device, tokens: int, width: int, dtype: torch.dtype) -> None:
    from virnucpro_tasks.embed.kernels.activation import add_bias_gelu_, gated_gelu

    states, bias = random((tokens, width), cuda).to(dtype), random((width,), cuda, 1)
    gate, value = states.float().chunk(2, dim=1)
    assert relative_error(gated_gelu(states), functional.gelu(gate) * value) < HALF_TOLERANCE[dtype]
    expected = functional.gelu(states.float() + bias)
    assert relative_error(add_bias_gelu_(states, bias), expected) < HALF_TOLERANCE[dtype]


def test_gelu_is_exact_to_the_rounding_of_half_precision(cuda: torch.device) -> None:
    from virnucpro_tasks.embed.kernels.activation import add_bias_gelu_

    values = torch.linspace(-12, 12, 200_000, device=cuda).half()[None]
    exact = values.double() * 0.5 * torch.erfc(-values.double() / math.sqrt(2))
    found = add_bias_gelu_(values.clone(), torch.zeros(values.shape[1], device=cuda))
    assert (found.double() - exact).abs().max() <= (exact.half().double() - exact).abs().max() * 1.01


@pytest.mark.parametrize("tokens", [1, 777, 4_096])
def test_gated_product(cuda: torch.device, tokens: int) -> None:
    from virnucpro_tasks.embed.kernels.gated_linear import LEAST_CAPABILITY, gated_linear, interleaved

    if torch.cuda.get_device_capability(cuda) < LEAST_CAPABILITY:
        pytest.skip("needs Hopper")
    states, weight = random((tokens, 768), cuda).half(), (random((6_144, 768), cuda, 1) / 768**0.5).half()
    gate, value = (states.float() @ weight.float().t()).chunk(2, dim=1)
    found = gated_linear(states, interleaved(weight))
    assert relative_error(found, functional.gelu(gate) * value) < HALF_TOLERANCE[torch.float16]


@pytest.mark.parametrize("width", [64, 320, 2560])
def test_segment_mean(cuda: torch.device, width: int) -> None:
    from virnucpro_tasks.embed.kernels.mean import segment_mean

    states = random((sum(LENGTHS), width), cuda).half()
    bounds = Segments.of(LENGTHS, device=cuda).cu_seqlens
    expected = torch.stack([part[1:-1].float().mean(0) for part in states.split(LENGTHS)])
    found = segment_mean(states, bounds, skip_first=1, skip_last=1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
