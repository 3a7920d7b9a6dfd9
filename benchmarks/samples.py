"""Wall time of many small samples: one run with a sample sheet against a run for each, and whether their files agree.

The records of the input are dealt out to the samples in turn. The run with the sheet is measured twice, before and
after the single ones, so that a machine that gets busier or warmer shows. Every table of every sample is compared byte
for byte.

    python benchmarks/samples.py INPUT.fasta [--samples 50] [--records 10] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fingerprint import fingerprint, write_result

from virnucpro_tasks.output.tables import SAMPLE_FILES
from virnucpro_tasks.reads.records import read_records


def write_samples(source: Path, folder: Path, *, samples: int, records: int) -> list[Path]:
    """One FASTA file for each sample, of `records` records, and a sheet that lists them."""
    with source.open("rb") as stream:
        found = list(read_records(stream, name=source.name))
    if len(found) < samples:
        raise SystemExit(f"{source} has {len(found)} records, too few for {samples} samples")
    files = []
    for number in range(samples):
        file = folder / f"sample_{number:03d}.fasta"
        own = found[number::samples][:records]
        file.write_bytes(b"".join(b">%b\n%b\n" % (record.record_id, record.sequence) for record in own))
        files.append(file)
    lines = [f"{file.stem},{file.name}" for file in files]
    (folder / "sheet.csv").write_text("\n".join(["sample,file", *lines, ""]))
    return files


def predict(*arguments: str | Path, output: Path) -> float:
    """Seconds of a run from its start to its end."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", *map(str, arguments)]
    flags = ["--output", str(output), "--bundle", "demo", "--devices", "cpu", "--quiet"]
    subprocess.run([*command, *flags], check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--records", type=int, default=10, help="records of a sample, at most")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_samples(options.input, folder, samples=options.samples, records=options.records)
        sheet = [predict("--samples", folder / "sheet.csv", output=folder / "sheet")]
        single = [predict(file, output=folder / "single" / file.stem) for file in files]
        sheet.append(predict("--samples", folder / "sheet.csv", output=folder / "again"))
        compared = [
            (folder / "sheet" / file.stem / table, folder / "single" / file.stem / table)
            for file in files
            for table in SAMPLE_FILES
        ]
        differing = [str(one.relative_to(folder)) for one, other in compared if one.read_bytes() != other.read_bytes()]
        bases = sum(len(line) for file in files for line in file.read_text().splitlines() if not line.startswith(">"))
    write_result(
        options.output / "samples",
        {
            "machine": fingerprint(),
            "samples": options.samples,
            "bases": bases,
            "sheet_seconds": sheet,
            "single_seconds": single,
            "compared_files": len(compared),
            "differing_files": differing,
        },
        rows=[
            (
                str(options.samples),
                f"{bases / 1e3:,.0f} kb",
                f"{sum(single):.1f} s ({statistics.median(single):.1f} s each)",
                " and ".join(f"{seconds:.1f} s" for seconds in sheet),
                f"{sum(single) / statistics.mean(sheet):.1f}",
                f"{len(compared) - len(differing)} of {len(compared)}",
            )
        ],
        header=("samples", "bases", "a run each", "one run with a sheet", "times faster", "files with the same bytes"),
    )
    if differing:
        raise SystemExit(f"not as in a run of its own: {json.dumps(differing[:5])}")


if __name__ == "__main__":
    main()
