"""Measures how much faster a second head is fitted than the first to the same records, since their vectors are kept.

`virnucpro train` three times as a user calls it, each a process of its own: the first on an empty folder (embedding
and fit of an MLP), then an MLP with another seed and a logistic regression on the vectors that the first run kept. Wall
time and processor time (user and system, with all workers) of each.

    python benchmarks/second_head.py contigs/{train,validation,test}.fasta --labels contigs/train.labels.tsv
        --labels contigs/validation.labels.tsv --labels contigs/test.labels.tsv (--bundle ENCODERS | --shapes 8M)
        [--devices cpu,cpu] [--output benchmarks/results]

--shapes: DNABERT-S and that ESM-2 in their published sizes with random weights, whose AUROC says nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result

from virnucpro_tasks.models.locate import find_bundle

RUNS = (
    ("first: vectors and MLP", ("--head", "mlp", "--seed", "1")),
    ("second: MLP, another seed", ("--head", "mlp", "--seed", "2")),
    ("third: logistic regression", ("--head", "logistic", "--seed", "1")),
)


def timed(command: list[str]) -> tuple[dict[str, Any], dict[str, float]]:
    """The card that the command prints, and the seconds it took."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return json.loads(done.stdout), {
        "wall_seconds": round(time.perf_counter() - started, 2),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
    }


def published_shapes(folder: Path, model: str) -> Path:
    """A bundle of the published sizes, random weights, with the tokenizer of the demonstration."""
    # Imported here: it loads torch.
    from gpu_queue import write_bundle

    folder.mkdir()
    tokenizer = find_bundle("demo").path / "dnabert-s" / "tokenizer.json"
    return write_bundle(folder, model, tokenizer, device="cpu", precision="fp32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", help="labelled FASTA files")
    parser.add_argument("--labels", action="append", default=[], help="table of labels")
    encoders = parser.add_mutually_exclusive_group(required=True)
    encoders.add_argument("--bundle")
    encoders.add_argument("--shapes", choices=("8M", "35M", "150M", "650M", "3B"))
    parser.add_argument("--devices", default="cpu,cpu")
    parser.add_argument("--hidden", default="512")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    labels = [part for table in options.labels for part in ("--labels", table)]
    common = ["--devices", options.devices, "--hidden", options.hidden, "--json", "--quiet"]
    runs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = options.bundle or published_shapes(folder / "encoders", options.shapes)
        description = find_bundle(str(bundle)).description
        for number, (run, chosen) in enumerate(RUNS):
            places = ["--work", str(folder / "work"), "--output", str(folder / f"bundle{number}")]
            command = [sys.executable, "-m", "virnucpro_tasks.cli.main", "train", *options.inputs, *labels, *common]
            command += ["--bundle", str(bundle)]
            card, seconds = timed([*command, *places, *chosen])
            runs.append({"run": run, **seconds, "auroc": card["unseen_groups"]["auroc"]})
            print(runs[-1], flush=True)
        report = next((folder / "work" / "jobs").glob("*/run.json"))
        counts = json.loads(report.read_bytes())["counts"]
    for row in runs:
        for unit in ("wall", "processor"):
            row[f"{unit}_ratio"] = round(runs[0][f"{unit}_seconds"] / row[f"{unit}_seconds"], 1)
    models = f"{description.nucleotide_model} + {description.protein_model}"
    write_result(
        options.output / "second_head",
        {
            "machine": fingerprint(),
            "models": models,
            "devices": options.devices,
            "records": counts["records"]["scored"],
            "frames": counts["frames"],
            "protein_tokens": counts["protein_tokens"],
            "runs": runs,
        },
        rows=[
            (
                row["run"],
                f"{row['wall_seconds']:,.1f}",
                f"{row['processor_seconds']:,.1f}",
                f"{row['wall_ratio']:,.0f}",
                f"{row['processor_ratio']:,.0f}",
                f"{row['auroc']:.3f}",
            )
            for row in runs
        ],
        header=("run", "wall, s", "processor, s", "times as fast", "by processor time", "AUROC"),
    )


if __name__ == "__main__":
    main()
