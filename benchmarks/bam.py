"""Speed and memory of reading the same reads from FASTQ, packed FASTQ and BAM, up to their frames as tables.

Reads are simulated with qualities of a few values, as sequencers bin them. Rounds alternate between the formats; each
measurement has a process of its own, whose peak memory is that of reading.

    python benchmarks/bam.py [--reads 400000] [--length 150] [--rounds 5] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pysam
from fingerprint import fingerprint, write_result

from virnucpro_tasks.reads.batches import ReadInput, frame_batches

FORMATS = ("reads.fastq", "reads.fastq.gz", "reads.bam")


def write_reads(folder: Path, *, reads: int, length: int) -> None:
    """Pairs of reads in all FORMATS."""
    random.seed(1)
    genome = "".join(random.choices("ACGT", k=1_000_000))
    qualities = ["".join(random.choices("F:,#", weights=(80, 10, 8, 2), k=length)) for _ in range(1_000)]
    with (
        (folder / "reads.fastq").open("w") as plain,
        gzip.open(folder / "reads.fastq.gz", "wt", compresslevel=6) as packed,
        pysam.AlignmentFile(str(folder / "reads.bam"), "wb", header={"HD": {"VN": "1.6"}}) as bam,
    ):
        for number in range(reads):
            start = random.randrange(len(genome) - length)
            sequence, quality = genome[start : start + length], random.choice(qualities)
            name = f"run:1:flowcell:1:{number // 2}"
            for file in (plain, packed):
                file.write(f"@{name}\n{sequence}\n+\n{quality}\n")
            read = pysam.AlignedSegment(bam.header)
            read.query_name, read.flag, read.query_sequence = name, 141 if number % 2 else 77, sequence
            read.query_qualities = pysam.qualitystring_to_array(quality)
            bam.write(read)


def read(file: Path) -> None:
    """Read a file; prints the seconds without those of starting Python."""
    started = time.perf_counter()
    for _ in frame_batches([ReadInput(file, file.name)], chunk_length=500):
        pass
    print(time.perf_counter() - started)


def measure(file: Path) -> dict[str, float]:
    child = subprocess.Popen([sys.executable, __file__, "--read", str(file)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    seconds = float(child.stdout.read())
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0
    return {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=400_000)
    parser.add_argument("--length", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    bases = options.reads * options.length
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_reads(folder, reads=options.reads, length=options.length)
        sizes = {file: (folder / file).stat().st_size for file in FORMATS}
        rounds = [{file: measure(folder / file) for file in FORMATS} for _ in range(options.rounds)]
    medians = {
        file: {figure: statistics.median(each[file][figure] for each in rounds) for figure in ("seconds", "peak_bytes")}
        for file in FORMATS
    }
    write_result(
        options.output / "bam",
        {"machine": fingerprint(), "reads": options.reads, "bases": bases, "bytes": sizes, "medians": medians}
        | {"rounds": rounds},
        rows=[
            (
                file,
                f"{sizes[file] / 1e6:.0f} MB",
                f"{found['seconds']:.2f} s",
                f"{bases / found['seconds'] / 1e6:.1f} Mb/s",
                f"{found['peak_bytes'] / 2**20:.0f} MiB",
            )
            for file, found in medians.items()
        ],
        header=("input", "size", "seconds", "megabases a second", "peak memory"),
    )


if __name__ == "__main__":
    main()
