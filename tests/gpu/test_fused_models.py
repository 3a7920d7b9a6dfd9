"""The fused models against the plain ones in FP32 with the same weights; the engine's backends against each other."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from gpu.conftest import relative_error

from virnucpro_tasks.embed.alibi import alibi_slopes
from virnucpro_tasks.embed.attention import AttentionBackend, resolve_backend
from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.engine import Engine, EngineOptions
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.rotary import inverse_frequencies
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.models.locate import demo_bundle

pytestmark = pytest.mark.gpu

LENGTHS = [3, 5, 64, 65, 17, 130, 52, 1_024, 300, 128, 192]
ESM2_SIZES = [(6, 320, 20), (12, 480, 20), (6, 640, 20), (6, 1280, 20), (4, 2560, 40), (2, 5120, 40)]


def with_random_weights(make: Callable[[AttentionBackend], torch.nn.Module], backend: str, dtype: torch.dtype):
    with torch.device("meta"):
        model = make(resolve_backend(backend, "cuda"))
    generator = torch.Generator("cuda").manual_seed(1)
    weights = {}
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, device="cuda", generator=generator)
        is_norm = "norm" in name.lower() and name.endswith("weight")
        if is_norm:
            weights[name] = 1 + 0.1 * values
        elif name.endswith("bias"):
            weights[name] = 0.1 * values
        else:
            weights[name] = values if "embed" in name else values / math.sqrt(parameter.shape[-1])
    model.load_state_dict(weights, assign=True)
    return model.requires_grad_(False).eval().to(dtype)


def least_centred_cosine(found: torch.Tensor, expected: torch.Tensor) -> float:
    middle = expected.mean(0)
    return float(torch.nn.functional.cosine_similarity(found - middle, expected - middle, dim=1).min())


@torch.inference_mode()
@pytest.mark.parametrize(("layers", "width", "heads"), ESM2_SIZES)
def test_esm2_of_every_published_width(cuda: torch.device, layers: int, width: int, heads: int) -> None:
    from virnucpro_tasks.embed.esm2_fused import FusedEsm2

    segments = Segments.of(LENGTHS, device=cuda)
    tokens = torch.randint(4, 24, (sum(LENGTHS),), device=cuda)

    def model(backend: str, dtype: torch.dtype) -> Esm2:
        made = with_random_weights(
            lambda attention: Esm2(layers=layers, width=width, heads=heads, attention=attention), backend, dtype
        )
        made.inv_freq = inverse_frequencies(width // heads).to(cuda)
        return made

    def pooled(states: torch.Tensor) -> torch.Tensor:
        return segment_mean(states, segments, skip_first=1, skip_last=1)

    exact = pooled(model("sdpa", torch.float32)(tokens, segments))
    fused = pooled(FusedEsm2(model("triton", torch.float16))(tokens, segments))
    assert relative_error(fused, exact) < 2e-3
    assert least_centred_cosine(fused, exact) > 0.9999


@torch.inference_mode()
@pytest.mark.parametrize("feed_forward", [3_072, 192])
def test_dnabert_s(cuda: torch.device, feed_forward: int) -> None:
    from virnucpro_tasks.embed.dnabert_s_fused import FusedDnabertS

    segments = Segments.of(LENGTHS, device=cuda)
    tokens = torch.randint(5, 4_096, (sum(LENGTHS),), device=cuda)

    def model(backend: str, dtype: torch.dtype) -> DnabertS:
        made = with_random_weights(
            lambda attention: DnabertS(
                layers=12, width=768, heads=12, feed_forward=feed_forward, vocabulary=4_096, attention=attention
            ),
            backend,
            dtype,
        )
        made.slopes = alibi_slopes(12).to(cuda)
        return made

    exact = segment_mean(model("sdpa", torch.float32)(tokens, segments), segments)
    plain = segment_mean(model("sdpa", torch.float16)(tokens, segments), segments)
    fused = segment_mean(FusedDnabertS(model("triton", torch.float16))(tokens, segments), segments)
    assert relative_error(fused, exact) < 1.2 * relative_error(plain, exact) + 1e-4
    assert least_centred_cosine(fused, exact) > 0.9998


@pytest.mark.parametrize("backend", ["auto", "triton", "torch", "sdpa"])
def test_every_backend_gives_the_vectors_of_the_cpu(cuda: torch.device, backend: str) -> None:
    random = np.random.default_rng(0)
    proteins = ["".join(random.choice(list("ACDEFGHIKLMNPQRSTVWY"), size)) for size in (1, 30, 50, 50, 166, 1_000)]
    nucleotides = ["".join(random.choice(list("ACGT"), size)) for size in (3, 150, 150, 498, 499)]

    def embedded(device: str, precision: str, attention: str):
        options = EngineOptions(device=device, precision=precision, attention=attention, token_budget=None, threads=1)
        engine = Engine.load(demo_bundle(), options)
        assert attention in ("auto", engine.attention["esm2"])
        return engine.embed(nucleotides, proteins, should_stop=lambda: False)

    exact, found = embedded("cpu", "fp32", "sdpa"), embedded("cuda", "fp16", backend)
    for name in ("nucleotide", "protein"):
        one, two = (torch.from_numpy(getattr(vectors, name)) for vectors in (found, exact))
        assert relative_error(one, two) < 5e-3
