"""Compares the engine on a GPU with fair-esm and Hugging Face in one run, with random weights of the published shapes.

The baselines are the usual padded way: FP16 weights, batches of equal length of 16,384 tokens (no padding at all in
them, which flatters them), the last layer's states on the device, no pooling, no copy to the host.

FP8 rows are speed only: random weights pass no check, so none is made. What FP8 does to vectors of trained weights is
in gpu_parity.md and fp8_parity.md.

    python benchmarks/gpu_engine.py [--models 3B,650M,150M,35M,8M,dnabert-s] [--fp8 3B,650M]
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from fingerprint import fingerprint, write_result

from virnucpro_tasks.bench import PROTEIN_TOKENS, bench
from virnucpro_tasks.embed.backends import FP8_ATTENTION
from virnucpro_tasks.models.sizes import ESM2_NAMES, Esm2Sizes

MODELS = "3B,650M,150M,35M,8M,dnabert-s"
FP8_MODELS = "3B,650M"
PRECISIONS = ("fp16", *FP8_ATTENTION)
BATCH_TOKENS = 16_384
ROUNDS = 5


def fair_esm(sizes: Esm2Sizes) -> Callable[[torch.Tensor], Any]:
    """fair-esm's own module."""
    from esm.model.esm2 import ESM2

    with torch.device("cuda"):
        model = ESM2(num_layers=sizes.layers, embed_dim=sizes.width, attention_heads=sizes.heads).half().eval()
    return lambda tokens: model(tokens, repr_layers=[sizes.layers])


def hugging_face(sizes: Esm2Sizes) -> Callable[[torch.Tensor], Any]:
    """EsmModel of transformers with its SDPA attention."""
    from transformers import EsmConfig, EsmModel

    configuration = EsmConfig(
        vocab_size=33,
        mask_token_id=32,
        pad_token_id=1,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=4 * sizes.width,
        max_position_embeddings=1026,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        attn_implementation="sdpa",
    )
    with torch.device("cuda"):
        model = EsmModel(configuration, add_pooling_layer=False).half().eval()
    return lambda tokens: model(tokens, attention_mask=torch.ones_like(tokens))


BASELINES = {"fair-esm": fair_esm, "Hugging Face SDPA": hugging_face}


@torch.inference_mode()
def baseline_rates(name: str) -> Iterator[tuple[str, int, float]]:
    """(baseline, tokens of a sequence, tokens a second) of one size of ESM-2."""
    for baseline, make in BASELINES.items():
        forward = make(ESM2_NAMES[name])
        for tokens in PROTEIN_TOKENS:
            batch = torch.randint(5, 24, (BATCH_TOKENS // tokens, tokens), device="cuda")
            batch[:, 0], batch[:, -1] = 0, 2
            forward(batch)
            times = []
            for _ in range(ROUNDS):
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                start.record()
                forward(batch)
                end.record()
                torch.cuda.synchronize()
                times.append(start.elapsed_time(end) / 1e3)
            yield baseline, tokens, batch.numel() / statistics.median(times)
        del forward
        torch.cuda.empty_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--fp8", default=FP8_MODELS, help="models that are measured in FP8 too")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.models.split(","):
        gc.collect()  # the baselines' modules hold themselves in cycles
        torch.cuda.empty_cache()
        precisions = PRECISIONS if name in options.fp8.split(",") else PRECISIONS[:1]
        ours = [asdict(row) for precision in precisions for row in bench([name], device="cuda", precision=precision)]
        best: dict[int, float] = {}
        if name in ESM2_NAMES:
            for baseline, tokens, rate in baseline_rates(name):
                best[tokens] = max(rate, best.get(tokens, 0.0))
                rows.append({"model": f"ESM-2 {name}", "engine": baseline, "tokens": tokens, "tokens_per_second": rate})
        for row in ours:
            tokens = round(row["tokens_per_second"] / row["sequences_per_second"])
            ratio = row["tokens_per_second"] / best[tokens] if tokens in best else None
            rows.append({"engine": "ours", "tokens": tokens, "ratio_to_better_baseline": ratio} | row)
    write_result(
        options.output / "gpu_engine",
        {"machine": fingerprint() | {"gpu": torch.cuda.get_device_name()}, "rows": rows},
        rows=[
            (
                row["model"],
                f"ours, {row['precision']}" if row["engine"] == "ours" else row["engine"],
                str(row["tokens"]),
                f"{row['tokens_per_second']:,.0f}",
                f"{row['tokens_per_second'] / row['tokens']:,.0f}",
                f"{row['share_of_ceiling']:.1%} of {row['ceiling_teraflops']:.0f}"
                if "ceiling_teraflops" in row
                else "",
                f"{row['ratio_to_better_baseline']:.2f}" if row.get("ratio_to_better_baseline") else "",
                f"{row['peak_bytes'] / 1e9:.1f}" if "peak_bytes" in row else "",
            )
            for row in rows
        ],
        header=(
            *("model", "engine", "tokens each", "tokens/s", "sequences/s", "share of the ceiling, TFLOP/s"),
            *("to the better baseline", "peak, GB"),
        ),
    )


if __name__ == "__main__":
    main()
