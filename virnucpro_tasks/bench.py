"""Measurement of both models' speed on a device: published sizes, random weights, packs as the engine makes them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from virnucpro_tasks.embed.alibi import alibi_slopes
from virnucpro_tasks.embed.attention import AttentionRequirements, resolve_backend
from virnucpro_tasks.embed.backends import AUTO, FP8_ATTENTION, SDPA, TRITON
from virnucpro_tasks.embed.calibration import zero_means
from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.encoder import DeviceMemoryError, Encoder, PackedModel
from virnucpro_tasks.embed.engine import DTYPES, EngineOptions, available_device, fused, require_fp8
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.rotary import inverse_frequencies
from virnucpro_tasks.embed.tokens import FIRST_RESIDUE_ID, RaggedTokens
from virnucpro_tasks.models.sizes import ESM2_NAMES, DnabertSizes, Esm2Sizes, require_published

ROUNDS = 5
FP16 = "fp16"
CEILING_SIZE = {"cuda": 8_192, "cpu": 1_024}
CEILING_SECONDS = 0.3
"""About as long as a pack takes: a single product would show a speed that a card loses as it heats up."""

DNABERT_S = DnabertSizes(layers=12, width=768, heads=12, feed_forward=3_072, vocabulary=4_096)
PROTEIN_TOKENS = (168, 52)
"""Tokens of the open frames of 500- and 150-base chunks, with <cls> and <eos>."""

SLICE_TOKENS = {500: 105, 150: 33}
"""Mean tokens of a slice by its bases, with [CLS] and [SEP]: real sequence through the published tokenizer."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """The measured speed of one model on one kind of sequence.

    Rates are medians; `share_of_ceiling` is the model's matrix products a second over those of one large product in
    the same precision, measured right after; `peak_bytes` is device memory, 0 on a CPU; `token_fill` is 0 to 1.
    """

    model: str
    precision: str
    attention: str
    sequence: str
    tokens_per_second: float
    sequences_per_second: float
    share_of_ceiling: float
    ceiling_teraflops: float
    token_budget: int
    token_fill: float
    peak_bytes: int


def bench(models: Sequence[str], *, device: str, precision: str, attention: str = AUTO) -> Iterator[BenchRow]:
    """Measure each of `models` (dnabert-s, or a size of ESM-2 such as 650M) and yield its rows.

    FP8 concerns ESM-2 only and is not checked, because random weights would fail the check. Raises SettingsError for an
    unknown model, BackendError for a device, backend or precision that is not available.
    """
    require_published(models)
    torch_device, dtype = available_device(device), DTYPES[precision]
    if precision in FP8_ATTENTION:
        require_fp8(torch_device, EngineOptions(device, precision, attention, token_budget=None, threads=1))
    for name in models:
        encoder, flops = _encoder(name, torch_device, precision, attention)
        lengths = (
            {f"{bases} bases": tokens for bases, tokens in SLICE_TOKENS.items()}
            if name == "dnabert-s"
            else {f"{tokens - 2} residues": tokens for tokens in PROTEIN_TOKENS}
        )
        for sequence, tokens in lengths.items():
            rate, fill, peak = _rate(encoder, tokens, torch_device)
            ceiling = matrix_ceiling(torch_device, dtype)
            yield BenchRow(
                model=name if name == "dnabert-s" else f"ESM-2 {name}",
                precision=FP16 if name == "dnabert-s" and precision in FP8_ATTENTION else precision,
                attention=encoder.attention,
                sequence=sequence,
                tokens_per_second=rate,
                sequences_per_second=rate / tokens,
                share_of_ceiling=rate * flops / ceiling,
                ceiling_teraflops=ceiling / 1e12,
                token_budget=encoder.token_budget,
                token_fill=fill,
                peak_bytes=peak,
            )
        del encoder


@dataclass(frozen=True, slots=True)
class PackRate:
    """The speed of a model with packs of `tokens` tokens; `peak_bytes` is device memory, 0 on a CPU."""

    tokens: int
    tokens_per_second: float
    sequences_per_second: float
    peak_bytes: int


def pack_rates(
    model: str, budgets: Sequence[int], *, sequence_tokens: int, device: str, precision: str, attention: str = AUTO
) -> Iterator[PackRate]:
    """Measure `model`, as `bench` names it, with packs of each size in `budgets` (tokens), in order.

    Sequences have `sequence_tokens` tokens. Ends early when a pack does not fit into the memory of the device. Raises
    as `bench` does.
    """
    require_published([model])
    torch_device = available_device(device)
    encoder, _ = _encoder(model, torch_device, precision, attention)
    for budget in budgets:
        encoder.token_budget = budget
        try:
            rate, _, peak = _rate(encoder, min(sequence_tokens, budget), torch_device)
        except DeviceMemoryError:
            return
        if encoder.token_budget < budget:
            return
        yield PackRate(budget, rate, rate / min(sequence_tokens, budget), peak)


def matrix_ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large square product, for CEILING_SECONDS without a pause."""
    size = CEILING_SIZE[device.type]
    one, two = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    single = _seconds(lambda: one @ two, device)
    count = max(1, round(CEILING_SECONDS / single))

    def many() -> None:
        for _ in range(count):
            one @ two

    return 2 * size**3 * count / _seconds(many, device)


def esm2_flops(sizes: Esm2Sizes) -> int:
    """Operations per token in the matrix products: four projections, and a feed-forward part four times as wide."""
    return 2 * sizes.layers * 12 * sizes.width**2


def dnabert_flops(sizes: DnabertSizes) -> int:
    """Operations per token in the matrix products; the feed-forward part has three matrices."""
    return 2 * sizes.layers * (4 * sizes.width**2 + 3 * sizes.width * sizes.feed_forward)


def random_esm2(sizes: Esm2Sizes, device: torch.device, dtype: torch.dtype, attention: str) -> Esm2:
    """An ESM-2 with random weights on `device`."""
    head_dim = sizes.width // sizes.heads
    backend = resolve_backend(attention, device, AttentionRequirements(dtype=dtype, head_dim=head_dim, biased=False))
    with torch.device("meta"):
        model = Esm2(layers=sizes.layers, width=sizes.width, heads=sizes.heads, attention=backend)
    model = _with_random_weights(model, device, dtype)
    model.inv_freq = inverse_frequencies(head_dim).to(device)
    return model


def random_dnabert_s(sizes: DnabertSizes, device: torch.device, dtype: torch.dtype, attention: str) -> DnabertS:
    """A DNABERT-S with random weights on `device`; a backend other than triton becomes sdpa, which adds its bias."""
    asked = attention if attention in (AUTO, TRITON) else SDPA
    backend = resolve_backend(
        asked, device, AttentionRequirements(dtype=dtype, head_dim=sizes.width // sizes.heads, biased=True)
    )
    with torch.device("meta"):
        model = DnabertS(
            layers=sizes.layers,
            width=sizes.width,
            heads=sizes.heads,
            feed_forward=sizes.feed_forward,
            vocabulary=sizes.vocabulary,
            attention=backend,
        )
    model = _with_random_weights(model, device, dtype)
    model.slopes = alibi_slopes(sizes.heads).to(device)
    return model


def _encoder(name: str, device: torch.device, precision: str, attention: str) -> tuple[Encoder, int]:
    """The model as the engine runs it, and its operations per token."""
    dtype = DTYPES[precision]
    if name == "dnabert-s":
        model: Any = random_dnabert_s(DNABERT_S, device, dtype, attention)
        skip, flops = 0, dnabert_flops(DNABERT_S)
    else:
        model = random_esm2(ESM2_NAMES[name], device, dtype, attention)
        skip, flops = 1, esm2_flops(ESM2_NAMES[name])
    if name != "dnabert-s" and precision in FP8_ATTENTION:
        from virnucpro_tasks.embed.esm2_fp8 import Fp8Esm2

        packed: PackedModel = Fp8Esm2(model, zero_means(model), attention_too=FP8_ATTENTION[precision])
    else:
        packed = fused(model)
    encoder = Encoder(name, packed, load_fp32=None, device=device, token_budget=None, skip_first=skip, skip_last=skip)
    return encoder, flops


def _rate(encoder: Encoder, tokens: int, device: torch.device) -> tuple[float, float, int]:
    """Tokens a second of sequences of `tokens` tokens, the fill of their packs, and the peak of device memory."""
    packs = 4 if device.type == "cuda" else 1
    lengths = np.full(packs * (encoder.token_budget // tokens), tokens, dtype=np.int64)
    random = np.random.default_rng(0)
    ids = random.integers(FIRST_RESIDUE_ID + 1, FIRST_RESIDUE_ID + 20, int(lengths.sum()), dtype=np.int64)
    ragged = RaggedTokens(ids, lengths)
    fill = 0.0

    def run() -> None:
        nonlocal fill
        _, stats = encoder.encode(ragged, should_stop=lambda: False)
        fill = stats.token_fill or 0.0

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = _seconds(run, device)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return len(ids) / seconds, fill, peak


def _seconds(work: Callable[[], Tensor | None], device: torch.device) -> float:
    """Median seconds of `work` over ROUNDS, after a round that is not counted."""
    times = []
    for round_number in range(ROUNDS + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if round_number:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def _with_random_weights(model: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """`model` with random weights: norms near one, small biases, and matrices that keep the scale of their inputs."""
    generator = torch.Generator(device).manual_seed(1)
    weights = {}
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, device=device, generator=generator, dtype=torch.float32)
        if "norm" in name.lower() and name.endswith("weight"):
            values = 1 + 0.1 * values
        elif name.endswith("bias"):
            values = 0.1 * values
        elif "embed" not in name:
            values = values / math.sqrt(parameter.shape[-1])
        weights[name] = values.to(dtype)
    model.load_state_dict(weights, assign=True)
    return model.requires_grad_(False).eval()
