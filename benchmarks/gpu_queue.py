"""Compares a GPU worker fed by the queue with the bare engine on the same shards: the cost of Celery, files and gaps.

A bundle of the published shapes with random weights is made on the spot (6 GB for 3B), the input is split, the shards
are embedded by the engine alone in this process, then once more as a job through Redis and a worker on the device.

    python benchmarks/gpu_queue.py READS.fasta TOKENIZER.json [--model 3B] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from fingerprint import fingerprint, write_result
from safetensors.torch import save_file

from virnucpro_tasks.bench import DNABERT_S, random_dnabert_s, random_esm2
from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.models.bundle import describe_bundle
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import CLASSES, ESM2_NAMES, HeadSizes
from virnucpro_tasks.pipeline.embed_shard import ShardWorker, embed_frames
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, wait_for
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.tables import read_table

HIDDEN = 512


def write_bundle(folder: Path, model: str, tokenizer: Path, *, device: str = "cuda", precision: str = "fp16") -> Path:
    """A bundle of the published shapes with random FP16 weights, drawn on `device`; jobs compute in `precision`."""
    sizes = ESM2_NAMES[model]
    place = torch.device(device)
    parts = {
        "esm2": (random_esm2(sizes, place, torch.float16, "sdpa"), msgspec.structs.asdict(sizes)),
        "dnabert-s": (random_dnabert_s(DNABERT_S, place, torch.float16, "sdpa"), msgspec.structs.asdict(DNABERT_S)),
    }
    for name, (module, configuration) in parts.items():
        (folder / name).mkdir(parents=True)
        save_file({key: value.cpu() for key, value in module.named_parameters()}, folder / name / "model.safetensors")
        (folder / name / "config.json").write_text(json.dumps(configuration))
    shutil.copyfile(tokenizer, folder / "dnabert-s" / "tokenizer.json")
    random = torch.Generator().manual_seed(0)
    shapes = HeadSizes(width=DNABERT_S.width + sizes.width, hidden=HIDDEN).shapes()
    head = {name: torch.rand(shape, generator=random) * 0.1 for name, shape in shapes.items()}
    (folder / "head").mkdir()
    save_file(head, folder / "head" / "model.safetensors")
    # The demonstration's values, so that the bundle takes segments too: what they are makes no difference to the time.
    record_score = json.loads((demo_bundle().path / "head" / "config.json").read_text())["record_score"]
    configuration = {
        "nucleotide_width": DNABERT_S.width,
        "protein_width": sizes.width,
        "hidden": HIDDEN,
        "classes": list(CLASSES),
        "record_score": record_score,
    }
    (folder / "head" / "config.json").write_text(json.dumps(configuration))
    describe_bundle(
        folder,
        name="random",
        demonstration=True,
        chunk_length=500,
        precision=precision,
        nucleotide_model="DNABERT-S, random weights",
        protein_model=f"ESM-2 {model}, random weights",
        head="random weights",
        nucleotide_width=DNABERT_S.width,
        protein_width=sizes.width,
        licences={},
    )
    return folder


def new_job(settings: Settings, reads: Path) -> Job:
    return submit(settings, [reads], chunk_length=None, min_length=None, strict=False, keep_embeddings=True, priority=0)


def engine_seconds(settings: Settings, reads: Path) -> list[float]:
    """Seconds of each shard by the engine alone, its tables read beforehand."""
    job = new_job(settings, reads)
    shards = list(split_files(job))
    engine = ShardWorker(settings).engine()
    tables = [read_table(job.paths.frames(shard)) for shard in shards]
    embed_frames(engine, tables[0].slice(0, 500), lambda: False)
    times = []
    for table in tables:
        started = time.perf_counter()
        embed_frames(engine, table, lambda: False)
        times.append(time.perf_counter() - started)
    return times


def queue_seconds(settings: Settings, reads: Path) -> tuple[list[float], int]:
    """Seconds between the results of consecutive shards of a job through the queue, and its ESM-2 tokens."""
    with EmbeddedBroker() as broker:
        settings = replace(settings, broker_url=broker.url)
        job = new_job(settings, reads)
        with LocalWorkers(settings, devices="0") as workers:
            app = make_app(settings)
            enqueue(app, job)
            for _ in wait_for(app, job, lease_seconds=settings.lease_seconds):
                workers.check()
    times = sorted(file.stat().st_mtime for file in job.paths.embeddings.glob("[0-9]*"))
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    return gaps, read_plan(job.paths.plan).tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reads", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--model", choices=ESM2_NAMES, default="3B")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = write_bundle(folder / "bundle", options.model, options.tokenizer)
        gc.collect()
        torch.cuda.empty_cache()
        settings = Settings(store=folder / "store", bundle=str(bundle), cpu_threads=4)
        alone = engine_seconds(settings, options.reads)
        gaps, tokens = queue_seconds(settings, options.reads)
    # The last shard is a rest, and the worker's first one is not between two results.
    engine, queue = statistics.median(alone[1:-1]), statistics.median(gaps[:-1])
    result = {
        "model": options.model,
        "shards": len(alone),
        "tokens": tokens,
        "engine_seconds": engine,
        "queue_seconds": queue,
        "gap_seconds": queue - engine,
        "share_of_engine_rate": engine / queue,
        "engine_seconds_all": list(np.round(alone, 4)),
        "queue_seconds_all": list(np.round(gaps, 4)),
    }
    write_result(
        options.output / "gpu_queue",
        {"machine": fingerprint() | {"gpu": torch.cuda.get_device_name()}} | result,
        rows=[
            ("shards", str(len(alone))),
            ("engine alone, s a shard", f"{engine:.3f}"),
            ("through the queue, s a shard", f"{queue:.3f}"),
            ("between two shards, ms", f"{1e3 * (queue - engine):.0f}"),
            ("share of the bare engine's rate", f"{engine / queue:.1%}"),
        ],
        header=(f"ESM-2 {options.model} and DNABERT-S", "median"),
    )


if __name__ == "__main__":
    main()
