"""Splitting rate on one core: FASTA to shards, beside the same work done with Biopython as the original does it.

Ours is the real code: staging, reading, chunks, frames, shards and chunks as Parquet, digests, the plan. The other side
reads with Bio.SeqIO, cuts chunks, translates six frames codon by codon and writes the three FASTA files that the
original writes. Both run in processes of their own, in turn, each after a small input that is not timed; rates are
medians, the ratio is that of the medians on the same reads. Peak memory is that of our process: on the whole input, on
one record of 250 million bases, and on as many records of five bases as the input has reads.

    python benchmarks/splitting.py READS.fasta [--subset 20000] [--rounds 3] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from fingerprint import fingerprint, write_result

from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings

CHUNK_LENGTH = 500
WARM_UP_RECORDS = 200
LONG_BASES = 250_000_000
PIECE_BASES = 1_000_000
GENETIC_CODE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
CODONS = dict(zip(map("".join, product("TCAG", repeat=3)), GENETIC_CODE, strict=True))
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def split_ours(source: Path, folder: Path) -> None:
    """The splitting stage of a job."""
    settings = Settings(store=folder, bundle="demo")
    job = submit(settings, [source], chunk_length=None, min_length=0, strict=False, keep_embeddings=False, priority=0)
    for _ in split_files(job):
        pass
    assert job.paths.plan.exists()


def split_with_biopython(source: Path, folder: Path) -> None:
    """Chunks, open frames and their files as the original makes them."""
    chunked = folder / "chunked.fa"
    SeqIO.write((chunk for record in SeqIO.parse(source, "fasta") for chunk in chunks_of(record)), chunked, "fasta")
    with (folder / "nucleotide.fa").open("w") as nucleotides, (folder / "protein.faa").open("w") as proteins:
        for record in SeqIO.parse(chunked, "fasta"):
            sequence = str(record.seq).upper()
            strands = (("F", sequence), ("R", sequence.translate(COMPLEMENT)[::-1]))
            for name, strand in strands:
                for frame in range(3):
                    protein = ""
                    for start in range(frame, len(strand) - 2, 3):
                        protein += CODONS.get(strand[start : start + 3], "")
                    if protein and "*" not in protein:
                        title = f">{record.id}{name}{frame + 1}\n"
                        nucleotides.write(f"{title}{strand[frame : frame + 1 + 3 * len(protein)]}\n")
                        proteins.write(f"{title}{protein}\n")


def chunks_of(record: SeqRecord) -> list[SeqRecord]:
    """The original's overlapping chunks of one record."""
    length = len(record.seq)
    count = -(-length // CHUNK_LENGTH)
    overlap, remainder = divmod(count * CHUNK_LENGTH - length, count)
    longer = min(overlap + remainder, count - 1)
    starts = [number * (CHUNK_LENGTH - overlap) - min(number, longer) for number in range(count)]
    return [
        SeqRecord(Seq(str(record.seq)[start : start + CHUNK_LENGTH]), id=f"{record.id}_chunk_{number}", description="")
        for number, start in enumerate(starts, 1)
    ]


WAYS = {"ours": split_ours, "biopython": split_with_biopython}


def measure(way: str, source: Path) -> tuple[float, int]:
    """Seconds of the work alone, and peak memory in bytes of the process that did it."""
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [sys.executable, __file__, str(source), "--way", way, "--folder", folder],
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"},
        )
        assert child.stdout is not None
        seconds = float(child.stdout.read())
        _, _, usage = os.wait4(child.pid, 0)
    return seconds, usage.ru_maxrss * 1024


def subset_of(source: Path, target: Path, reads: int) -> Path:
    """The first `reads` records of `source`."""
    with target.open("w") as handle:
        for number, record in enumerate(SeqIO.parse(source, "fasta")):
            if number == reads:
                break
            handle.write(f">{record.id}\n{record.seq}\n")
    return target


def long_record(target: Path) -> Path:
    """One record of LONG_BASES bases on one line; made in pieces, as a child's peak memory counts its parent's."""
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", np.uint8)
    with target.open("wb") as handle:
        handle.write(b">long\n")
        for _ in range(LONG_BASES // PIECE_BASES):
            handle.write(letters[random.integers(0, 4, PIECE_BASES, np.uint8)].tobytes())
    return target


def tiny_records(target: Path, count: int) -> Path:
    """`count` records of five bases."""
    with target.open("wb") as handle:
        handle.writelines(b">r%d\nATGCA\n" % number for number in range(count))
    return target


def run_way(way: str, source: Path, folder: Path) -> None:
    """Do the work in this process, on one core, and print its seconds."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    (folder / "warm").mkdir()
    (folder / "work").mkdir()
    WAYS[way](tiny_records(folder / "warm.fasta", WARM_UP_RECORDS), folder / "warm")
    started = time.perf_counter()
    WAYS[way](source, folder / "work")
    print(time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reads", type=Path)
    parser.add_argument("--subset", type=int, default=20_000, help="reads of the comparison")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        run_way(options.way, options.reads, options.folder)
        return
    total = sum(line.startswith(b">") for line in options.reads.open("rb"))
    size = options.reads.stat().st_size
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    whole = []
    peak = 0
    with tempfile.TemporaryDirectory() as folder:
        subset = subset_of(options.reads, Path(folder) / "subset.fasta", options.subset)
        for _ in range(options.rounds):
            for way in WAYS:
                rates[way].append(options.subset / measure(way, subset)[0])
            seconds, bytes_used = measure("ours", options.reads)
            whole.append(total / seconds)
            peak = max(peak, bytes_used)
        long_seconds, long_peak = measure("ours", long_record(Path(folder) / "long.fasta"))
        tiny_seconds, tiny_peak = measure("ours", tiny_records(Path(folder) / "tiny.fasta", total))
    medians = {way: statistics.median(values) for way, values in rates.items()}
    rate = statistics.median(whole)
    read_bytes = size / total
    result = {
        "reads": total,
        "bytes": size,
        "reads_per_second": rate,
        "megabytes_per_second": rate * read_bytes / 1e6,
        "peak_bytes": peak,
        "subset_reads": options.subset,
        "subset_reads_per_second": medians,
        "ratio": medians["ours"] / medians["biopython"],
        "long_record": {"bases": LONG_BASES, "seconds": long_seconds, "peak_bytes": long_peak},
        "tiny_records": {"records": total, "seconds": tiny_seconds, "peak_bytes": tiny_peak},
    }
    write_result(
        options.output / "splitting",
        {"machine": fingerprint()} | result,
        rows=[
            (f"ours, {total:,} reads", f"{rate:,.0f}", f"{rate * read_bytes / 1e6:.1f}", f"{peak / 1e6:.0f}"),
            *(
                (f"{way}, {options.subset:,} reads", f"{value:,.0f}", f"{value * read_bytes / 1e6:.1f}", "")
                for way, value in medians.items()
            ),
            ("ratio on these", f"{result['ratio']:.1f}", "", ""),
            (
                f"ours, one record of {LONG_BASES:,}",
                "",
                f"{LONG_BASES / long_seconds / 1e6:.1f}",
                f"{long_peak / 1e6:.0f}",
            ),
            (f"ours, {total:,} records of 5", f"{total / tiny_seconds:,.0f}", "", f"{tiny_peak / 1e6:.0f}"),
        ],
        header=("one core, median", "reads/s", "MB/s", "peak memory, MB"),
    )


if __name__ == "__main__":
    main()
