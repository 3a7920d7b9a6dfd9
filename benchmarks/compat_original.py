"""Compares `predict --compat original` with an independent original on clean and on hostile input, frame by frame.

    PYTHONPATH=.:workers:tests python benchmarks/compat_original.py --clean ../shared/data/metagenome_small.fasta

The independent original is that of the tests (tests/parity/original_tool.py): Biopython, base by base, fair-esm, plain
DNABERT-S and the head in torch, one frame at a time. The hostile input is made from a seed. The command runs as users
run it, with private workers, once with the usual shards and once with many small ones.

Writes benchmarks/results/compat_original.json and compat_original.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parity.original_tool import ClassicFiles, hostile_fasta, original_files

from benchmarks.fingerprint import fingerprint, write_result
from virnucpro_tasks.models.locate import demo_bundle

CHUNK_BASES = 500
SHARD_TOKENS = 4_096


def predicted(source: Path, output: Path, *more: str) -> ClassicFiles:
    """The classic files of `virnucpro predict --compat original`."""
    command = [sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", str(source), "--output", str(output)]
    options = ["--bundle", "demo", "--compat", "original", "--devices", "cpu", "--quiet", "--no-report", *more]
    subprocess.run([*command, *options], check=True)
    return ClassicFiles.read(output)


def first_records(source: Path, records: int) -> str:
    """The first records of a FASTA file."""
    return ">".join(source.read_text().split(">")[: records + 1])


def compared(ours: ClassicFiles, theirs: ClassicFiles) -> dict[str, Any]:
    """Figures on both files. Raises AssertionError unless ids and their order are the same."""
    assert [row[0] for row in ours.frames] == [row[0] for row in theirs.frames]
    assert [row[0] for row in ours.chunks] == [row[0] for row in theirs.chunks]
    differences = np.abs(ours.scores() - theirs.scores())
    return {
        "frames": len(ours.frames),
        "chunks": len(ours.chunks),
        "labels_changed": sum(one[1] != other[1] for one, other in zip(ours.frames, theirs.frames, strict=True)),
        "calls_changed": sum(one[1] != other[1] for one, other in zip(ours.chunks, theirs.chunks, strict=True)),
        "scores_equal_to_the_last_digit": float((differences == 0).mean()),
        "largest_difference": float(differences.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--records", type=int, default=120)
    parser.add_argument("--hostile-records", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = {
        "clean": first_records(options.clean, options.records),
        "hostile": hostile_fasta(options.hostile_records, seed=options.seed),
    }
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind, text in texts.items():
            source = Path(name, f"{kind}.fasta")
            source.write_text(text, newline="")
            theirs = original_files(source, demo_bundle().path, chunk_length=CHUNK_BASES)
            whole = predicted(source, Path(name, f"{kind}-whole"))
            sharded = predicted(source, Path(name, f"{kind}-sharded"), "--shard-tokens", str(SHARD_TOKENS))
            found[kind] = compared(whole, theirs)
            found[f"{kind}, many shards"] = compared(sharded, theirs)
            print(kind, found[kind], flush=True)
    write_result(
        options.output / "compat_original",
        {
            "machine": fingerprint(),
            "about": {"chunk_bases": CHUNK_BASES, "shard_tokens": SHARD_TOKENS, "seed": options.seed},
            "rows": found,
        },
        rows=[
            (
                kind,
                f"{row['frames']:,}",
                f"{row['labels_changed']} / {row['calls_changed']}",
                f"{100 * row['scores_equal_to_the_last_digit']:.1f}",
                f"{row['largest_difference']:.1e}",
            )
            for kind, row in found.items()
        ],
        header=("input", "frames", "labels / calls changed", "scores equal in all digits, %", "largest difference"),
    )


if __name__ == "__main__":
    main()
