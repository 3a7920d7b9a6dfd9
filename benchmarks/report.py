"""Measures the report page: seconds and bytes for results of 1,000, 100,000 and 1,000,000 records, and with a browser
the seconds until the page can be used.

The tables are simulated: contigs of lognormal lengths, chunks of 500 bases, half of them with an open frame. With
`--browser` headless Chromium opens each page from its file.

    python benchmarks/report.py [--records N ...] [--browser /usr/bin/chromium] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from fingerprint import fingerprint, write_result
from pyarrow import csv

from virnucpro_tasks.jobs.output_options import OutputOptions
from virnucpro_tasks.output.chunks import CHUNK_COLUMNS
from virnucpro_tasks.output.records import RECORD_COLUMNS
from virnucpro_tasks.reads.tables import Status
from virnucpro_tasks.report.content import read_content
from virnucpro_tasks.report.page import report_page
from virnucpro_tasks.system.files import write_json

CHUNK_LENGTH = 500
PART = 100_000
"""Records that are simulated at a time."""


def simulate(folder: Path, records: int) -> None:
    """Write records.tsv, chunks.tsv and run.json of a job with so many records."""
    random = np.random.default_rng(1)
    with (
        (folder / "records.tsv").open("wb") as record_file,
        (folder / "chunks.tsv").open("wb") as chunk_file,
    ):
        for file, columns in ((record_file, RECORD_COLUMNS), (chunk_file, CHUNK_COLUMNS)):
            file.write("\t".join(column.name for column in columns if column.name != "mate").encode() + b"\n")
        virus = sum(
            _simulate_part(random, first, min(PART, records - first), record_file, chunk_file)
            for first in range(0, records, PART)
        )
    write_json(folder / "run.json", _run(records, virus))


def _simulate_part(random: np.random.Generator, first: int, count: int, record_file: Any, chunk_file: Any) -> int:
    lengths = np.clip(random.lognormal(6.9, 0.8, count), 100, 300_000).astype(np.int64)
    chunks = -(-lengths // CHUNK_LENGTH)
    records = np.repeat(np.arange(count), chunks)
    numbers = np.arange(len(records)) - np.repeat(np.cumsum(chunks) - chunks, chunks)
    starts = numbers * CHUNK_LENGTH
    ends = np.minimum(starts + CHUNK_LENGTH, lengths[records])
    is_scored = random.random(len(records)) < 0.5
    scores = np.clip(random.beta(0.5, 0.5, count)[records] + random.normal(0, 0.1, len(records)), 0, 1).round(6)
    scored = np.bincount(records, is_scored, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (np.bincount(records, np.where(is_scored, scores, 0), count) / scored).round(6)
        covered = np.bincount(records, np.where(is_scored, ends - starts, 0), count) / lengths
    ids = np.char.add("contig_", (np.arange(count) + first + 1).astype(str))
    calls = np.where(scored == 0, "NA", np.where(means >= 0.5, "virus", "others"))
    evidence = np.where((scored >= 5) & (covered >= 0.5), "high", np.where(scored >= 2, "medium", "low"))
    status = np.where(scored > 0, "scored", "no_open_frame")
    reason = np.where(scored > 0, "", "no frame without a stop codon")
    values = {
        "record_id": ids,
        "input": np.full(count, "assembly.fasta"),
        "record": np.arange(count) + first + 1,
        "length": lengths,
        "status": status,
        "chunks": chunks,
        "scored_chunks": scored.astype(np.int64),
        "no_open_frame_chunks": (chunks - scored).astype(np.int64),
        "quarantined_chunks": np.zeros(count, np.int64),
        "virus_chunks": np.where(means >= 0.5, scored, 0).astype(np.int64),
        "scored_fraction": covered.round(4),
        "highest_viral_score": np.fmin(means + 0.05, 1).round(6),
        "mean_viral_score": means,
        "call": calls,
        "reason": reason,
        "model": np.full(count, "simulated"),
        "description": np.full(count, ""),
        "evidence": np.where(scored > 0, evidence, "NA"),
    }
    _write(values, [column.name for column in RECORD_COLUMNS], record_file)
    values = {
        "record_id": ids[records],
        "record": records + first + 1,
        "chunk": numbers + 1,
        "start": starts,
        "end": ends,
        "status": np.where(is_scored, "scored", "no_open_frame"),
        "frames": is_scored.astype(np.int64),
        "highest_viral_score": np.where(is_scored, scores, np.nan),
        "mean_viral_score": np.where(is_scored, scores, np.nan),
        "call": np.where(is_scored, np.where(scores >= 0.5, "virus", "others"), "NA"),
        "reason": np.where(is_scored, "", "no frame without a stop codon"),
        "model": np.full(len(records), "simulated"),
    }
    _write(values, [column.name for column in CHUNK_COLUMNS], chunk_file)
    return int((calls == "virus").sum())


def _write(values: dict[str, Any], names: list[str], file: Any) -> None:
    columns = {}
    for name in (name for name in names if name in values):
        column = pa.array(values[name], from_pandas=True)
        columns[name] = column.cast(pa.string()).fill_null("NA")
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    csv.write_csv(pa.table(columns), file, options)


def _run(records: int, virus: int) -> dict[str, Any]:
    shards = [
        {
            "worker": f"embed-gpu{number % 4}@host",
            "shard": number,
            "shards": 1,
            "started_at": f"2026-01-01T{number // 240:02}:{number // 4 % 60:02}:00.000+00:00",
            "ended_at": f"2026-01-01T{number // 240:02}:{number // 4 % 60:02}:55.000+00:00",
            "seconds": 55.0,
            "tokens": 400_000,
        }
        for number in range(min(1_000, records // 100))
    ]
    counts = {status.value: 0 for status in Status} | {"scored": records}
    return {
        "exit_code": 0,
        "summary": "",
        "warnings": [],
        "problems": [],
        "incomplete": False,
        "demonstration": False,
        "inputs": [{"name": "assembly.fasta", "bytes": 0, "sha256": "0" * 64}],
        "model": {"name": "simulated"},
        "parameters": {"outputs": msgspec.to_builtins(OutputOptions())},
        "counts": {"records": counts, "chunks": {}, "virus_records": virus, "protein_tokens": 0},
        "versions": {"virnucpro-tasks": version("virnucpro-tasks")},
        "sha256": {"records.tsv": "", "chunks.tsv": ""},
        "times": {
            "created_at": "2026-01-01T00:00:00+00:00",
            "finished_at": "2026-01-01T05:00:00+00:00",
            "seconds": 18_000.0,
            "finishing_seconds": 60.0,
            "workers": [],
            "shards": shards,
        },
    }


def make_page(folder: Path) -> None:
    """Make the page of simulated results; prints the seconds for reading tables and for all, and peak memory in kB."""
    started = time.perf_counter()
    content = read_content(folder, json.loads((folder / "run.json").read_bytes()))
    reading = time.perf_counter() - started
    (folder / "report.html").write_text(report_page(content))
    # Not ru_maxrss: that is at least the memory of the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(reading, time.perf_counter() - started, peak[1] if peak else "nan")


def make_alone(folder: Path) -> dict[str, float]:
    """Seconds, bytes of the page and peak memory in bytes, of a process of its own."""
    command = [sys.executable, __file__, "--make", str(folder)]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    reading, seconds, peak_kilobytes = map(float, output.split())
    return {
        "reading_seconds": reading,
        "seconds": seconds,
        "page_bytes": (folder / "report.html").stat().st_size,
        "peak_bytes": peak_kilobytes * 1024,
    }


def seconds_until_usable(page: Path, browser: str) -> float:
    """Seconds from the request of the page until its charts are drawn and its table answers."""
    # Imported here: it is needed for this figure alone.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page()
        started = time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_selector("html[data-ready]", state="attached")
        tab.wait_for_selector("[data-chart=plane] svg", state="attached")
        tab.fill("#search", "contig_1")
        tab.wait_for_function("document.getElementById('found').textContent")
        seconds = time.perf_counter() - started
        chromium.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--browser")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.make:
        make_page(options.make)
        return
    results = []
    for records in options.records:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            simulate(folder, records)
            result: dict[str, Any] = {"records": records} | make_alone(folder)
            if options.browser:
                result["usable_seconds"] = seconds_until_usable(folder / "report.html", options.browser)
            results.append(result)
    write_result(
        options.output / "report",
        {"machine": fingerprint(), "pages": results},
        rows=[
            (
                f"{result['records']:,}",
                f"{result['reading_seconds']:.1f}",
                f"{result['seconds']:.1f}",
                f"{result['page_bytes'] / 1e6:.2f}",
                f"{result['peak_bytes'] / 1e6:.0f}",
                f"{result['usable_seconds']:.1f}" if "usable_seconds" in result else "-",
            )
            for result in results
        ],
        header=("records", "s for reading", "s in all", "MB", "peak memory, MB", "s until usable"),
    )


if __name__ == "__main__":
    main()
