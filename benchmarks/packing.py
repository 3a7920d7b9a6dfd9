"""Measures the token fill of the packer, virnucpro_tasks.embed.packing, against next-fit in buffers of 2,000.

    python benchmarks/packing.py --sequences ../shared/data/viruses.fasta ../shared/data/others.fasta

Two distributions of ESM-2 token counts (residues and two special tokens):
reads      the open frames of 150-base pieces of the sequences given, one every 50 bases
mixed      proteins of 30 to 1,022 residues, uniform, from a fixed seed

Writes benchmarks/results/packing.json and packing.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from Bio import SeqIO
from numpy.typing import NDArray

from virnucpro_tasks.embed.packing import Pack, capacity, pack_lengths

RESULTS = Path(__file__).parent / "results"
READ_BASES = 150
READ_STEP_BASES = 50
SPECIAL_TOKENS = 2
BUFFER_SEQUENCES = 2_000
TOKEN_BUDGETS = (4_096, 16_384, 32_768)
MIXED_SEQUENCES = 100_000
SEED = 1

Lengths = NDArray[np.int64]
Packer = Callable[[Lengths, int], list[Pack]]


def read_lengths(files: list[Path]) -> Lengths:
    """Tokens of every open frame of the 150-base pieces without ambiguous bases."""
    lengths = []
    for file in files:
        for record in SeqIO.parse(file, "fasta"):
            for start in range(0, len(record) - READ_BASES + 1, READ_STEP_BASES):
                piece = record.seq[start : start + READ_BASES].upper()
                if set(piece) - set("ACGT"):
                    continue
                for strand in (piece, piece.reverse_complement()):
                    for offset in range(3):
                        protein = strand[offset : offset + (READ_BASES - offset) // 3 * 3].translate()
                        if "*" not in protein:
                            lengths.append(len(protein) + SPECIAL_TOKENS)
    return np.array(lengths, dtype=np.int64)


def mixed_lengths() -> Lengths:
    return np.random.default_rng(SEED).integers(30, 1_023, MIXED_SEQUENCES) + SPECIAL_TOKENS


def next_fit(lengths: Lengths, token_budget: int) -> list[Pack]:
    """The existing v2.0 package's way: sort each buffer by falling length, keep one pack open, send the rest as is."""
    packs = []
    for start in range(0, len(lengths), BUFFER_SEQUENCES):
        buffer = np.arange(start, min(start + BUFFER_SEQUENCES, len(lengths)))
        chosen: list[int] = []
        tokens = 0
        for index in buffer[np.argsort(-lengths[buffer], kind="stable")].tolist():
            if chosen and tokens + lengths[index] > token_budget:
                packs.append(Pack(np.array(chosen), tokens))
                chosen, tokens = [], 0
            chosen.append(index)
            tokens += int(lengths[index])
        packs.append(Pack(np.array(chosen), tokens))
    return packs


def measure(packer: Packer, lengths: Lengths, token_budget: int) -> dict[str, float]:
    start = time.perf_counter()
    packs = packer(lengths, token_budget)
    seconds = time.perf_counter() - start
    return {
        "packs": len(packs),
        "token_fill": round(sum(pack.tokens for pack in packs) / capacity(packs, token_budget=token_budget), 5),
        "sequences_per_second": round(len(lengths) / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=Path, nargs="+", required=True, metavar="FASTA")
    distributions = {"reads": read_lengths(parser.parse_args().sequences), "mixed": mixed_lengths()}
    packers: dict[str, Packer] = {
        "carry-over": lambda lengths, budget: pack_lengths(lengths, token_budget=budget),
        "next-fit per 2,000": next_fit,
    }
    rows = [
        {"distribution": name, "token_budget": budget, "packer": packer} | measure(function, lengths, budget)
        for name, lengths in distributions.items()
        for budget in TOKEN_BUDGETS
        for packer, function in packers.items()
    ]
    about = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "sequences": {name: len(lengths) for name, lengths in distributions.items()},
        "mean_tokens": {name: round(float(lengths.mean()), 2) for name, lengths in distributions.items()},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "packing.json").write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    header = list(rows[0])
    table = [header, ["---"] * len(header), *([str(value) for value in row.values()] for row in rows)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in table) + "\n"
    (RESULTS / "packing.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
