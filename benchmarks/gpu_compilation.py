"""Counts the Triton kernels that the two models compile, and measures a start with and without compiling them.

Each of two processes loads random weights of the published shapes and runs ragged packs; the first begins with an empty
cache, the second finds what the first compiled.

    python benchmarks/gpu_compilation.py
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from fingerprint import fingerprint, write_result

from virnucpro_tasks.bench import DNABERT_S, random_dnabert_s, random_esm2
from virnucpro_tasks.embed.encoder import Encoder
from virnucpro_tasks.embed.engine import fused
from virnucpro_tasks.embed.tokens import FIRST_RESIDUE_ID, RaggedTokens
from virnucpro_tasks.models.sizes import ESM2_NAMES

LENGTHS = ([168] * 50, [52] * 333, [33, 105, 7, 1_024, 64, 65, 129], [3], [1_024] * 2, [40] * 1_000)


def ragged(lengths: list[int]) -> RaggedTokens:
    sizes = np.array(lengths, dtype=np.int64)
    ids = np.random.default_rng(0).integers(FIRST_RESIDUE_ID, FIRST_RESIDUE_ID + 20, int(sizes.sum()))
    return RaggedTokens(ids.astype(np.int64), sizes)


def compiled() -> int:
    return len(list(Path(os.environ["TRITON_CACHE_DIR"]).rglob("*.cubin")))


def one_start(model: str) -> None:
    """Print seconds and kernels after the start of each model, and kernels after its packs, as a line of JSON."""
    device, found = torch.device("cuda"), {}
    torch.zeros(1, device=device)
    for name in ("dnabert-s", model):
        started = time.perf_counter()
        made = (
            random_dnabert_s(DNABERT_S, device, torch.float16, "triton")
            if name == "dnabert-s"
            else random_esm2(ESM2_NAMES[name], device, torch.float16, "triton")
        )
        skip = int(name != "dnabert-s")
        encoder = Encoder(
            name, fused(made), load_fp32=None, device=device, token_budget=None, skip_first=skip, skip_last=skip
        )
        seconds, at_start = time.perf_counter() - started, compiled()
        for lengths in LENGTHS:
            encoder.encode(ragged(lengths), should_stop=lambda: False)
        found[name] = {"start_seconds": seconds, "kernels_at_start": at_start, "kernels_after_packs": compiled()}
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=ESM2_NAMES, default="3B")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.one:
        one_start(options.model)
        return
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--one", "--model", options.model]
        environment = os.environ | {"TRITON_CACHE_DIR": cache}
        runs = {
            name: json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            for name in ("cold", "warm")
        }
    rows = [
        (name, model, f"{of['start_seconds']:.1f}", str(of["kernels_at_start"]), str(of["kernels_after_packs"]))
        for name, models in runs.items()
        for model, of in models.items()
    ]
    machine = fingerprint() | {"gpu": torch.cuda.get_device_name()}
    header = ("cache", "model", "start, s", "kernels then", "kernels after packs of six shapes")
    write_result(options.output / "gpu_compilation", {"machine": machine, "runs": runs}, rows=rows, header=header)


if __name__ == "__main__":
    main()
