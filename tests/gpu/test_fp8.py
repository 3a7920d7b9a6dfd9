"""FP8 kernels and models against FP32, and the check of FP8 when an engine is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from gpu.conftest import relative_error
from gpu.test_fused_models import LENGTHS, least_centred_cosine
from torch.nn import functional

from virnucpro_tasks.bench import random_esm2
from virnucpro_tasks.embed import parity
from virnucpro_tasks.embed.backends import FP8_CAPABILITY
from virnucpro_tasks.embed.calibration import LayerMeans, input_means, zero_means
from virnucpro_tasks.embed.engine import Engine, EngineOptions
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.self_check import PrecisionError
from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import Esm2Sizes
from virnucpro_tasks.pipeline.fp8_check import fp8_check

pytestmark = pytest.mark.gpu

ROUNDING = 0.029
"""Relative error of normal numbers rounded to 3 bits of mantissa, 0.0265, with a margin for short rows."""

widths = pytest.mark.parametrize(("tokens", "width"), [(1, 320), (777, 2_560), (33, 10_240), (5, 96), (64, 20_480)])


@pytest.fixture
def fp8(cuda: torch.device) -> torch.device:
    if torch.cuda.get_device_capability(cuda) < FP8_CAPABILITY:
        pytest.skip("no FP8 matrix units")
    return cuda


def random(shape: tuple[int, ...], device: torch.device, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, device=device, generator=torch.Generator(device).manual_seed(seed))


@widths
def test_rows(fp8: torch.device, tokens: int, width: int) -> None:
    from virnucpro_tasks.embed.kernels.fp8 import LARGEST, gelu_rows, scaled_rows

    states, bias, mean = random((tokens, width), fp8).bfloat16(), random((width,), fp8, 1), random((width,), fp8, 2)
    for rows, expected in (
        (gelu_rows(states, bias, mean), functional.gelu(states.float() + bias) - mean),
        (scaled_rows(states, mean), states.float() - mean),
    ):
        assert relative_error(rows.values.float() * rows.scales, expected) < ROUNDING
        torch.testing.assert_close(rows.scales[:, 0], expected.abs().amax(1) / LARGEST, rtol=1e-3, atol=0)
        assert (rows.values.float().abs().amax(1) == LARGEST).all()


@widths
def test_layer_norm_of_a_sum(fp8: torch.device, tokens: int, width: int) -> None:
    from virnucpro_tasks.embed.kernels.layer_norm import layer_norm, layer_norm_rows

    states, added = random((tokens, width), fp8).half(), random((tokens, width), fp8, 4).bfloat16()
    offset, weight, bias = (random((width,), fp8, seed) for seed in (1, 2, 3))
    total = states.float() + added.float()
    expected = functional.layer_norm(total + offset, (width,), weight, bias, 1e-5)
    plain, scaled = states.clone(), states.clone()
    assert relative_error(layer_norm(plain, offset, weight, bias, eps=1e-5, added=added), expected) < 1e-3
    rows = layer_norm_rows(scaled, offset, weight, bias, eps=1e-5, added=added)
    assert relative_error(rows.values.float() * rows.scales, expected) < ROUNDING
    for kept in (plain, scaled):
        assert torch.equal(kept, total.half())


def test_a_row_of_zeros_and_a_row_that_overflowed(fp8: torch.device) -> None:
    from virnucpro_tasks.embed.kernels.fp8 import scaled_rows

    states = torch.zeros((2, 320), device=fp8, dtype=torch.bfloat16)
    states[1, 5] = torch.inf
    rows = scaled_rows(states, torch.zeros(320, device=fp8))
    values = rows.values.float() * rows.scales
    assert (values[0] == 0).all() and values[1].isnan().any()


@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_a_product_whose_inputs_are_off_centre(fp8: torch.device, mean: float) -> None:
    from virnucpro_tasks.embed.kernels.fp8 import scaled_rows
    from virnucpro_tasks.embed.scaled_linear import ScaledLinear

    centre = mean * random((2_560,), fp8, 5)
    inputs, weight, bias = (
        (random((512, 2_560), fp8) + centre).bfloat16(),
        random((320, 2_560), fp8, 1) / 2_560**0.5,
        random((320,), fp8, 2),
    )
    expected = inputs.float() @ weight.t() + bias
    linear = ScaledLinear.of(weight, bias, centre)
    found = linear(scaled_rows(inputs, linear.mean)).float() + linear.bias
    spread = expected - expected.mean(0)
    assert float((found - expected).norm() / spread.norm()) < 0.045


@torch.inference_mode()
@pytest.mark.parametrize(("precision", "attention_too", "least"), [("fp8", True, 0.985), ("fp8-ff", False, 0.995)])
@pytest.mark.parametrize("sizes", [Esm2Sizes(6, 320, 20), Esm2Sizes(4, 2_560, 40)])
def test_esm2(fp8: torch.device, sizes: Esm2Sizes, precision: str, attention_too: bool, least: float) -> None:
    from virnucpro_tasks.embed.esm2_fp8 import Fp8Esm2

    segments = Segments.of(LENGTHS, device=fp8)
    tokens = torch.randint(4, 24, (sum(LENGTHS),), device=fp8)

    def pooled(states: torch.Tensor) -> torch.Tensor:
        return segment_mean(states, segments, skip_first=1, skip_last=1)

    def cosine(means: Callable[[Esm2], list[LayerMeans]]) -> float:
        model = random_esm2(sizes, fp8, torch.float16, "triton")
        found = Fp8Esm2(model, means(model), attention_too=attention_too)
        return least_centred_cosine(pooled(found(tokens, segments)), exact)

    exact = pooled(random_esm2(sizes, fp8, torch.float32, "sdpa")(tokens, segments))
    centred = cosine(lambda model: input_means(model, [(tokens, segments)]))
    assert centred > least and centred > cosine(zero_means)


def options(precision: str) -> EngineOptions:
    return EngineOptions("cuda", precision, "auto", token_budget=4_096, threads=1)


@pytest.mark.parametrize("precision", ["fp8", "fp8-ff"])
def test_an_engine_that_passes_its_check(fp8: torch.device, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    for limit, value in (("LEAST_MEDIAN", 0.9), ("LEAST_MINIMUM", 0.5), ("MOST_FLIPS", 0.1)):
        monkeypatch.setattr(parity, limit, value)
    bundle = demo_bundle()
    check = fp8_check(bundle)
    found, exact = (
        Engine.load(bundle, options(name), check=check).embed([], check.proteins, should_stop=lambda: False)
        for name in (precision, "fp16")
    )
    difference = relative_error(torch.from_numpy(found.protein), torch.from_numpy(exact.protein))
    assert 1e-4 < difference < 0.2
    assert found.stats.attention["esm2"] == "triton"


def test_an_engine_that_does_not(fp8: torch.device) -> None:
    bundle = demo_bundle()
    check = fp8_check(bundle)
    turned = iter([False, True])

    def scores(nucleotide, protein):
        """A head that sees the opposite the second time."""
        found = check.scores(nucleotide, protein)
        return found[:, ::-1] if next(turned) else found

    with pytest.raises(PrecisionError, match="of calls changed") as caught:
        Engine.load(bundle, options("fp8"), check=dataclasses.replace(check, scores=scores))
    assert caught.value.parity.flips > 0.9


def test_another_attention_backend_is_refused(fp8: torch.device) -> None:
    bundle = demo_bundle()
    with pytest.raises(BackendError, match="attention backend triton only"):
        Engine.load(bundle, dataclasses.replace(options("fp8"), attention="sdpa"), check=fp8_check(bundle))
