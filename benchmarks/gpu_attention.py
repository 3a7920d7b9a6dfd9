"""Compares the attention backends on one GPU: milliseconds of a layer, and the distance to FP32.

Random queries, keys and values of the shape that a layer of ESM-2 3B has (40 heads of 64), FP16, in packs of 16,384
tokens. A backend that is not installed is reported as such. `triton` concatenates the three first; it is also timed
with the rotary embedding inside and without concatenation, as the fused model uses it.

    python benchmarks/gpu_attention.py [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fingerprint import fingerprint, write_result

from virnucpro_tasks.embed.attention import AttentionRequirements, resolve_backend
from virnucpro_tasks.embed.backends import BACKEND_NAMES, SDPA, TRITON
from virnucpro_tasks.embed.kernels.attention import rotary_attention
from virnucpro_tasks.embed.rotary import RotaryCache, inverse_frequencies
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.errors import BackendError

TOKENS, HEADS, HEAD_DIM = 16_384, 40, 64
ROUNDS = 30
DEVICE = torch.device("cuda")


def packs() -> dict[str, list[int]]:
    mixed = np.random.default_rng(0).integers(22, 342, TOKENS).tolist()
    filled = np.searchsorted(np.cumsum(mixed), TOKENS)
    return {
        "52 tokens": [52] * (TOKENS // 52),
        "168 tokens": [168] * (TOKENS // 168),
        "22 to 341 tokens": mixed[:filled],
        "1,024 tokens": [1_024] * (TOKENS // 1_024),
    }


def milliseconds(work: Callable[[], Any]) -> float:
    """Median time of `work` on the device."""
    times = []
    for _ in range(ROUNDS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times[3:])


def measure(lengths: list[int]) -> dict[str, dict[str, Any]]:
    """By backend: milliseconds and the largest distance to FP32, relative to the largest value; or why it is absent."""
    segments = Segments.of(lengths, device=DEVICE)
    generator = torch.Generator(DEVICE).manual_seed(0)
    shape = (3, sum(lengths), HEADS, HEAD_DIM)
    parts = torch.randn(shape, device=DEVICE, generator=generator).half()
    exact = resolve_backend(SDPA, DEVICE).attend(*parts.float(), segments)
    found: dict[str, dict[str, Any]] = {}
    for name in BACKEND_NAMES:
        try:
            attend = resolve_backend(name, DEVICE, AttentionRequirements(torch.float16, HEAD_DIM, biased=False)).attend
        except BackendError as error:
            found[name] = {"absent": str(error)}
            continue
        distance = (attend(*parts, segments).float() - exact).abs().max() / exact.abs().max()
        found[name] = {
            "milliseconds": milliseconds(lambda attend=attend: attend(*parts, segments)),  # type: ignore[misc]
            "distance": float(distance),
        }
    joined = parts.flatten(2).transpose(0, 1).flatten(1).contiguous()
    bias = torch.zeros(joined.shape[1], device=DEVICE)
    table = RotaryCache(inverse_frequencies(HEAD_DIM).to(DEVICE)).table(segments.max_seqlen)
    bounds, longest = segments.cu_seqlens, segments.max_seqlen
    found[f"{TRITON}, rotary and bias inside"] = {
        "milliseconds": milliseconds(
            lambda: rotary_attention(joined, bias, bounds, table, heads=HEADS, max_seqlen=longest)
        )
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    results = {name: measure(lengths) for name, lengths in packs().items()}
    backends = list(next(iter(results.values())))
    write_result(
        options.output / "gpu_attention",
        {"machine": fingerprint() | {"gpu": torch.cuda.get_device_name()}, "packs": results},
        rows=[(name, *(cell(found[backend]) for backend in backends)) for name, found in results.items()],
        header=("one layer of ESM-2 3B, ms (distance to FP32)", *backends),
    )


def cell(of: dict[str, Any]) -> str:
    if "absent" in of:
        return "absent"
    return f"{of['milliseconds']:.2f}" + (f" ({of['distance']:.0e})" if "distance" in of else "")


if __name__ == "__main__":
    main()
