"""Compares finishing with few result files and with all: seconds, memory and bytes.

The few are records.tsv, chunks.tsv and the two files of the existing tools; or all that another checkout writes.
Each size is a FASTA file of random records whose first frame is open, a tenth of them viral by scores that are drawn
at random in place of those of a model. Both finish their jobs in turn, so that a machine that is busy for a while is
busy for both. `in order` are processor seconds of the process that merges the parts of the shards, which does not get
faster with more processes. Libraries are imported, and the template of the page is compiled, before the clock starts,
as in a coordinator that has finished a job. The records called virus are in virus.fasta.gz.

    python benchmarks/finishing_outputs.py [BEFORE AFTER | --searches] [--rounds 3] [--processes N]
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fingerprint import fingerprint, write_result

import virnucpro_tasks.pipeline.finish as pipeline_finish
import virnucpro_tasks.pipeline.shard_parts as shard_parts
from virnucpro_tasks.classifier.consensus import CALLED_SCORE
from virnucpro_tasks.jobs.job import open_job
from virnucpro_tasks.jobs.output_options import output_options
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.pipeline.without_pandas import settle_without_pandas
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.scores import ShardScores, write_scores
from virnucpro_tasks.shards.tables import read_table

try:
    from virnucpro_tasks.jobs.vectors import embedding_key
except ImportError:  # an older checkout
    from virnucpro_tasks.pipeline.split import embedding_key

STOPS = ("TAA", "TAG", "TGA")
CODONS = np.array([a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in STOPS], "S3")
VIRAL_SHARE = 0.1
LOGIT, SPREAD = 3.0, 2.0
"""Mean of the score of a viral frame as a logit (of others its negative), and standard deviation."""


@dataclass(frozen=True, slots=True)
class Size:
    """Number of records, and range of their lengths in bases (log-uniform)."""

    records: int
    shortest: int
    longest: int


SIZES = (Size(1_000, 300, 10_000), Size(100_000, 300, 3_000), Size(1_000_000, 300, 301))


FINISH, FINISH_TABLES, FINISH_SEARCHING = "--finish", "--finish-tables", "--finish-searching"


@dataclass(frozen=True, slots=True)
class Side:
    """A checkout that finishes jobs: with all its files by the word FINISH, by FINISH_TABLES with tables alone, and by
    FINISH_SEARCHING with all, but with Python's own number of searches for cycles of objects.
    """

    tree: Path
    word: str = FINISH


def write_records(file: Path, size: Size) -> None:
    random = np.random.default_rng(size.records)
    with file.open("wb") as target:
        for number in range(size.records):
            bases = int(size.shortest * (size.longest / size.shortest) ** random.random())
            sequence = CODONS[random.integers(0, len(CODONS), bases // 3)].tobytes()
            target.write(b">contig_%d flag=1 multi=2.0000 len=%d\n%b\n" % (number, bases, sequence))


def prepare(source: Path, store: Path) -> None:
    """Split `source` and score its frames at random; prints the job, the numbers of its chunks and of its frames."""
    settings = Settings(store=store, bundle="demo")
    # Random scores are not calibrated: by their false-discovery rates no record at all would be handed on.
    job = submit(
        settings,
        [source],
        chunk_length=None,
        min_length=None,
        strict=False,
        keep_embeddings=False,
        priority=0,
        outputs=output_options(min_score=CALLED_SCORE),
    )
    for _ in split_files(job):
        pass
    plan = read_plan(job.paths.plan)
    for number in plan.to_embed:
        records = np.array(read_table(job.paths.frames(number))["record_ordinal"])
        # Drawn for each frame from its record and place alone: both checkouts get equal scores.
        viral = np.random.default_rng(0).random(int(records.max()) + 1)[records] < VIRAL_SHARE
        logits = np.random.default_rng(int(records[0])).normal(np.where(viral, LOGIT, -LOGIT), SPREAD)
        virus = 1 / (1 + np.exp(-logits))
        scores = np.stack([1 - virus, virus], axis=1).astype(np.float32)
        key = embedding_key(job, plan.shards[number].digest)
        write_scores(job.paths.scores(number), ShardScores(scores, np.zeros(len(scores), bool)), key)
    chunks = sum(read_table(job.paths.chunks(number)).num_rows for number in range(len(plan.shards)))
    print(job.job_id, chunks, sum(entry.frames for entry in plan.shards))


def leave_out_other_outputs() -> None:
    """Let this process write the tables alone that there were before all other outputs."""
    from virnucpro_tasks.output import part, results
    from virnucpro_tasks.output.records import RECORDS
    from virnucpro_tasks.output.tables import SHARD_TABLES

    part.RECORD_TABLES, part.SPAN_FILES, results.SPAN_FILES = (RECORDS,), (), ()
    results.TABLES = (RECORDS, *SHARD_TABLES)
    pipeline_finish.write_derived = lambda *arguments: None
    styles_of = pipeline_finish.table_styles
    pipeline_finish.table_styles = lambda *arguments: {
        name: replace(style, has_page=False) if hasattr(style, "has_page") else style
        for name, style in styles_of(*arguments).items()
    }


def search_often() -> None:
    """Let this process search for cycles of objects as often as Python does by itself."""
    shard_parts.rare_collections = pipeline_finish.rare_collections = nullcontext


def finish(store: Path, job_id: str, processes: int, word: str) -> None:
    """Finish the job; prints its seconds, and the processor seconds of this process and of its children."""
    # As in a coordinator.
    settle_without_pandas()
    if word == FINISH_TABLES:
        leave_out_other_outputs()
    elif word == FINISH_SEARCHING:
        search_often()
    with suppress(ImportError):  # an older checkout
        importlib.import_module("virnucpro_tasks.report.page").page_template()
        importlib.import_module("virnucpro_tasks.report.derived")
    job = open_job(store, job_id)
    started, used = time.perf_counter(), os.times()
    pipeline_finish.finish(job, processes=processes)
    seconds, ended = time.perf_counter() - started, os.times()
    in_order = ended.user + ended.system - used.user - used.system
    print(seconds, in_order, ended.children_user + ended.children_system)


def child(tree: Path, *arguments: object) -> tuple[list[str], Any]:
    """The words that this script prints in `tree`, and what it used with its own children."""
    process = subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"PYTHONPATH": f"{tree}:{tree / 'workers'}"}
        | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    )
    assert process.stdout is not None
    words = process.stdout.read().split()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{tree}: {arguments[0]} ended with status {status}")
    return words, usage


def finish_alone(side: Side, store: Path, job_id: str, *, processes: int) -> dict[str, float]:
    """Seconds, processor seconds of all processes and of the merging one, peak memory of the largest one, bytes of
    the results. Undone afterwards.
    """
    job = store / "jobs" / job_id
    # Finishing deletes the scores.
    shutil.copytree(job / "scores", job / "scores_again")
    (seconds, in_order, in_children), usage = child(side.tree, side.word, store, job_id, processes)
    size = sum(file.stat().st_size for file in (job / "results").rglob("*") if file.is_file())
    (job / "run.json").unlink()
    shutil.rmtree(job / "results")
    shutil.rmtree(job / "scores")
    (job / "scores_again").rename(job / "scores")
    return {
        "seconds": float(seconds),
        "processor_seconds": float(in_order) + float(in_children),
        "in_order_seconds": float(in_order),
        "peak_bytes": usage.ru_maxrss * 1024,
        "result_bytes": size,
    }


def measured(
    size: Size, sides: dict[str, Side], folder: Path, *, processes: int, rounds: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """The name of a side and what it used, `rounds` times each, in turn."""
    source = folder / "reads.fasta"
    write_records(source, size)
    # Sides of one checkout finish the same job.
    stores = {side.tree: folder / name for name, side in sides.items()}
    prepared = {tree: child(tree, "--prepare", source, store)[0] for tree, store in stores.items()}
    (counted, *others) = (words[1:] for words in prepared.values())
    if any(other != counted for other in others):
        raise SystemExit(f"the sides cut {counted} and {others} chunks and frames")
    for number in range(rounds):
        # Whoever comes second finds warmer caches, so the order changes with each round.
        for name in sorted(sides, reverse=number % 2 == 0):
            tree = sides[name].tree
            used = finish_alone(sides[name], stores[tree], prepared[tree][0], processes=processes)
            yield name, used | {"chunks": int(counted[0]), "frames": int(counted[1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, nargs="?")
    parser.add_argument("after", type=Path, nargs="?")
    parser.add_argument("--prepare", nargs=2, metavar=("READS", "STORE"), help=argparse.SUPPRESS)
    for word in (FINISH, FINISH_TABLES, FINISH_SEARCHING):
        parser.add_argument(word, nargs=3, metavar=("STORE", "JOB", "PROCESSES"), help=argparse.SUPPRESS)
    parser.add_argument("--records", type=int, nargs="*", help="sizes to measure, of those there are")
    parser.add_argument(
        "--searches", action="store_true", help="compare searching for cycles of objects often and rarely, not files"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.prepare:
        prepare(*map(Path, options.prepare))
        return
    for word in (FINISH, FINISH_TABLES, FINISH_SEARCHING):
        if finished := getattr(options, word.removeprefix("--").replace("-", "_")):
            store, job_id, processes = finished
            finish(Path(store), job_id, int(processes), word)
            return
    if options.before:
        sides = {"before": Side(options.before.resolve()), "after": Side(options.after.resolve())}
    else:
        here = Path(__file__).resolve().parent.parent
        sides = {"before": Side(here, FINISH_SEARCHING if options.searches else FINISH_TABLES), "after": Side(here)}
    results, rows = [], []
    for size in SIZES:
        if options.records and size.records not in options.records:
            continue
        found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        with tempfile.TemporaryDirectory() as folder:
            for name, used in measured(size, sides, Path(folder), processes=options.processes, rounds=options.rounds):
                found[name].append(used)
                print(size.records, name, used, file=sys.stderr)
        medians = {
            name: {figure: statistics.median(used[figure] for used in each) for figure in each[0]}
            for name, each in found.items()
        }
        results.append(
            {"records": size.records, "lengths": [size.shortest, size.longest], "medians": medians} | {"rounds": found}
        )
        before, after = medians["before"], medians["after"]
        rows.append(
            (
                f"{size.records:,}",
                f"{after['chunks']:,.0f}",
                *(
                    f"{before[figure]:.1f} / {after[figure]:.1f} ({after[figure] / before[figure] - 1:+.0%})"
                    for figure in ("seconds", "processor_seconds", "in_order_seconds")
                ),
                *(
                    f"{before[figure] / 1e6:.0f} / {after[figure] / 1e6:.0f}"
                    for figure in ("peak_bytes", "result_bytes")
                ),
            )
        )
    write_result(
        options.output / ("rare_collections" if options.searches else "finishing_outputs"),
        {"machine": fingerprint(), "processes": options.processes, "sizes": results},
        rows=rows,
        header=(
            "records",
            "chunks",
            "seconds, before / after",
            "processor seconds",
            "in order",
            "peak memory, MB",
            "results, MB",
        ),
    )


if __name__ == "__main__":
    main()
