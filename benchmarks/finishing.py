"""Measures rate and memory of finishing: vectors on disk to result tables, with a head of the published width.

The input is split as usual; random vectors of 768 + 2,560 replace the embeddings. On one core `classifier` is the
time inside the head alone, `rest` everything else: reading, merging, consensus, writing, digests. With `--processes`
the same job is then finished by so many.

    python benchmarks/finishing.py READS.fasta [--processes N] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from fingerprint import fingerprint, write_result
from safetensors.numpy import save_file

from virnucpro_tasks.classifier.mlp import MlpHead
from virnucpro_tasks.jobs.job import Job, open_job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.models.bundle import CARD_FILE, DESCRIPTION_FILE
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import HeadSizes
from virnucpro_tasks.pipeline.finish import finish as finish_job
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.split import embedding_key, split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.tables import read_table
from virnucpro_tasks.shards.vectors import ShardVectors, write_vectors
from virnucpro_tasks.system.files import file_sha256, write_json

NUCLEOTIDE, PROTEIN, HIDDEN = 768, 2560, 512


def wide_bundle(folder: Path) -> Path:
    """The demonstration with a random head of the published width: finishing reads nothing but the head."""
    shipped = demo_bundle()
    shutil.copytree(shipped.path, folder)
    # The shipped head's card names its own encoders; a bundle without a card says nothing of that.
    (folder / CARD_FILE).unlink()
    random = np.random.default_rng(0)
    shapes = HeadSizes(width=NUCLEOTIDE + PROTEIN, hidden=HIDDEN).shapes()
    tensors = {name: random.standard_normal(shape).astype(np.float32) * 0.05 for name, shape in shapes.items()}
    tensors["bn1.running_var"] = np.ones(HIDDEN, np.float32)
    save_file(tensors, folder / "head" / "model.safetensors")
    for name, sizes in (
        ("dnabert-s", {"width": NUCLEOTIDE}),
        ("esm2", {"width": PROTEIN}),
        ("head", {"nucleotide_width": NUCLEOTIDE, "protein_width": PROTEIN, "hidden": HIDDEN}),
    ):
        file = folder / name / "config.json"
        write_json(file, json.loads(file.read_bytes()) | sizes)
    description = msgspec.structs.replace(
        shipped.description,
        nucleotide_width=NUCLEOTIDE,
        protein_width=PROTEIN,
        sha256={name: file_sha256(folder / name) for name in shipped.description.sha256 if (folder / name).exists()},
    )
    write_json(folder / DESCRIPTION_FILE, msgspec.structs.asdict(description))
    return folder


def embed_at_random(job: Job) -> int:
    """Write vectors for every shard; returns the number of frames."""
    plan = read_plan(job.paths.plan)
    random = np.random.default_rng(1)
    for number in plan.to_embed:
        count = plan.shards[number].frames
        assert read_table(job.paths.frames(number)).num_rows == count
        rows = np.arange(count, dtype=np.int32)
        vectors = ShardVectors(
            nucleotide=random.standard_normal((count, NUCLEOTIDE), np.float32),
            protein=random.standard_normal((count, PROTEIN), np.float32),
            nucleotide_row=rows,
            protein_row=rows,
        )
        write_vectors(job.paths.embedding(number), vectors, embedding_key(job, plan.shards[number].digest))
    return sum(entry.frames for entry in plan.shards)


def finish(store: Path, job_id: str, processes: int) -> None:
    """Finish the job; prints its seconds and, with one process, those inside the head."""
    inside = 0.0
    scores = MlpHead.scores

    def timed(self: MlpHead, *vectors: np.ndarray) -> np.ndarray:
        nonlocal inside
        started = time.perf_counter()
        result = scores(self, *vectors)
        inside += time.perf_counter() - started
        return result

    MlpHead.scores = timed  # type: ignore[method-assign]
    started = time.perf_counter()
    job = open_job(store, job_id)
    assert repair(job, processes=processes) == []
    finish_job(job, processes=processes)
    print(time.perf_counter() - started, inside)


def finish_alone(store: Path, job: Job, *, processes: int) -> dict[str, float]:
    """Seconds, seconds inside the head, and peak memory in bytes of the largest process. Undone afterwards."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--finish", str(store), job.job_id, str(processes)],
        stdout=subprocess.PIPE,
        env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    )
    assert child.stdout is not None
    seconds, inside = map(float, child.stdout.read().split())
    _, _, usage = os.wait4(child.pid, 0)
    assert job.paths.run.exists()
    job.paths.run.unlink()
    shutil.rmtree(job.paths.results)
    return {"seconds": seconds, "classifier_seconds": inside, "peak_bytes": usage.ru_maxrss * 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reads", type=Path, nargs="?")
    parser.add_argument("--finish", nargs=3, metavar=("STORE", "JOB", "PROCESSES"), help=argparse.SUPPRESS)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.finish:
        finish(Path(options.finish[0]), options.finish[1], int(options.finish[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=Path(folder) / "store", bundle=str(wide_bundle(Path(folder) / "bundle")))
        job = submit(
            settings,
            [options.reads],
            chunk_length=None,
            min_length=None,
            strict=False,
            keep_embeddings=True,
            priority=0,
        )
        for _ in split_files(job):
            pass
        frames = embed_at_random(job)
        measured = finish_alone(settings.store, job, processes=1)
        together = finish_alone(settings.store, job, processes=options.processes)
    rest = measured["seconds"] - measured["classifier_seconds"]
    result: dict[str, Any] = {
        "frames": frames,
        "frames_per_second": frames / measured["seconds"],
        "classifier_frames_per_second": frames / measured["classifier_seconds"],
        "rest_share": rest / measured["seconds"],
        "peak_bytes": measured["peak_bytes"],
        "processes": options.processes,
        "frames_per_second_together": frames / together["seconds"],
    }
    write_result(
        options.output / "finishing",
        {"machine": fingerprint()} | result,
        rows=[
            ("frames", f"{frames:,}"),
            ("frames/s, one core", f"{result['frames_per_second']:,.0f}"),
            ("frames/s of the classifier alone", f"{result['classifier_frames_per_second']:,.0f}"),
            ("share of everything else", f"{result['rest_share']:.0%}"),
            (f"frames/s, {options.processes} processes", f"{result['frames_per_second_together']:,.0f}"),
            ("peak memory of one process, MB", f"{result['peak_bytes'] / 1e6:.0f}"),
        ],
        header=("finishing", ""),
    )


if __name__ == "__main__":
    main()
