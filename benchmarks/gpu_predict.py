"""Measures `virnucpro predict` on a GPU machine from FASTA to results: wall time, share of time the GPU is busy, rates.

A bundle of the published shapes with random weights is made on the spot (6 GB for 3B). Each input runs once as a
process of its own, with Celery, its private Redis and its workers. Times are read from the job's files; nvidia-smi
tells ten times a second how much of the time a kernel ran. The first run compiles what Triton has to compile, into an
empty cache; all later ones find it there.

    python benchmarks/gpu_predict.py TOKENIZER.json READS.fasta [CHUNKS.fasta ...] [--devices 0] [--model 3B]

With `--name gpu_coverage --coverage frames segments` each input runs by each, and the table says what segments cost.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from fingerprint import fingerprint, write_result
from gpu_queue import write_bundle

from virnucpro_tasks.models.sizes import ESM2_NAMES

SAMPLES_A_SECOND = 10


class Sampler:
    """Utilisation (percent) and memory (MiB) of the devices, by nvidia-smi, with the time of each sample."""

    def __init__(self, devices: str) -> None:
        self.samples: list[tuple[float, int, int]] = []
        self._process = subprocess.Popen(
            [
                *("nvidia-smi", "-i", devices, "--query-gpu=utilization.gpu,memory.used"),
                *("--format=csv,noheader,nounits", f"-lms={1000 // SAMPLES_A_SECOND}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            utilisation, memory = line.split(",")
            self.samples.append((time.time(), int(utilisation), int(memory)))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()


def run(bundle: Path, source: Path, folder: Path, *, coverage: str, devices: str, cache: Path) -> dict[str, Any]:
    """One `virnucpro predict`, and what its files tell."""
    output = folder / f"out-{time.time_ns()}"
    environment = os.environ | {"TRITON_CACHE_DIR": str(cache)}
    sampler = Sampler(devices)
    started = time.time()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", str(source), "--bundle", str(bundle)),
            *("--devices", devices, "--output", str(output), "--keep-embeddings", "--quiet", "--coverage", coverage),
        ],
        env=environment,
    )
    stages = watch(output, process)
    ended = time.time()
    sampler.stop()
    if process.returncode not in (0, 6):
        raise SystemExit(f"predict ended with exit code {process.returncode}")
    report = json.loads((output / "run.json").read_text())
    # Links into the job's folder, on one file system: their times are those of the worker.
    shards = sorted(file.stat().st_mtime for file in (output / "embeddings").glob("*.safetensors"))
    inside = [used for at, used, _ in sampler.samples if stages["first_pack"] <= at <= shards[-1]]
    tokens = report["counts"]["protein_tokens"]
    return {
        "input": source.name if coverage == "frames" else f"{source.name}, {coverage}",
        "devices": devices,
        "seconds": ended - started,
        "first_pack_seconds": stages["first_pack"] - started,
        "split_seconds": stages["split"] - stages["created"],
        "embedding_seconds": shards[-1] - stages["first_pack"],
        "finishing_seconds": report["times"]["finishing_seconds"],
        "records": sum(report["counts"]["records"].values()),
        "frames": report["counts"]["frames"],
        "tokens": tokens,
        "shards": len(shards),
        "tokens_per_second": tokens / (shards[-1] - stages["first_pack"]),
        "busy_share": statistics.mean(inside) / 100,
        "device_memory_bytes": max(memory for *_, memory in sampler.samples) << 20,
        "host_memory_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10,
        "compiled": len(list(cache.rglob("*.cubin"))),
        "utilisation": [(round(at - started, 2), used) for at, used, _ in sampler.samples],
    }


def watch(output: Path, process: subprocess.Popen[bytes]) -> dict[str, float]:
    """When the job was made, its plan complete and its first shard begun; looked up while its folder is there."""
    found: dict[str, float] = {}
    while process.poll() is None:
        for job in output.glob(".virnucpro-work/jobs/*"):
            if "first_pack" not in found and (attempts := sorted(job.glob("attempts/[0-9]*.jsonl"))):
                lines = [file.read_text().splitlines() for file in attempts]
                times = [datetime.fromisoformat(json.loads(of[0])["at"]).timestamp() for of in lines if of]
                if times:
                    found["first_pack"] = min(times)
            for stage, file in (("created", job / "job.json"), ("split", job / "plan.json")):
                if stage not in found and file.exists():
                    found[stage] = file.stat().st_mtime
        time.sleep(0.05)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--devices", default="0")
    parser.add_argument("--model", choices=ESM2_NAMES, default="3B")
    parser.add_argument("--coverage", choices=("frames", "segments"), nargs="+", default=["frames"])
    parser.add_argument("--name", default="gpu_predict", help="of the two files")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = write_bundle(folder / "bundle", options.model, options.tokenizer)
        gc.collect()
        torch.cuda.empty_cache()
        cache = folder / "triton"
        runs = [
            run(bundle, source, folder, coverage=coverage, devices=options.devices, cache=cache)
            for source in options.inputs
            for coverage in options.coverage
        ]
    write_result(
        options.output / options.name,
        {"machine": fingerprint() | {"gpu": torch.cuda.get_device_name()}, "model": options.model, "runs": runs},
        rows=[
            (
                one["input"],
                f"{one['records']:,}",
                f"{one['frames']:,}",
                f"{one['seconds']:.1f}",
                f"{one['first_pack_seconds']:.1f}",
                f"{one['records'] / one['split_seconds']:,.0f}",
                f"{one['tokens_per_second']:,.0f}",
                f"{one['frames'] / one['finishing_seconds']:,.0f}",
                f"{one['busy_share']:.1%}",
                f"{one['device_memory_bytes'] / 1e9:.1f} / {one['host_memory_bytes'] / 1e9:.1f}",
                str(one["compiled"]),
            )
            for one in runs
        ],
        header=(
            *(f"ESM-2 {options.model} and DNABERT-S", "records", "frames", "wall, s", "to the first pack, s"),
            *("read and split, records/s", "embedded, tokens/s", "finished, frames/s", "GPU busy"),
            *("device / host memory, GB", "kernels compiled so far"),
        ),
    )


if __name__ == "__main__":
    main()
