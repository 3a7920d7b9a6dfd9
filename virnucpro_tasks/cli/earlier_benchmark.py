"""`virnucpro benchmark` of earlier versions: speed, memory, scaling and parity of the models on this host, as files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import PathType, settings_of
from virnucpro_tasks.cli.preflight import check_place
from virnucpro_tasks.errors import BackendError, ExitCode, InputError, SettingsError, counted
from virnucpro_tasks.settings import Settings, load_settings
from virnucpro_tasks.system.extras import require_extra
from virnucpro_tasks.system.files import write_bytes
from virnucpro_tasks.system.gpus import list_gpus
from virnucpro_tasks.system.isolation import child_environment, isolated_command

SPEED, SCALING, PARITY, ALL = "throughput", "scaling", "parity", "all"
SUITES = {
    SCALING: SCALING,
    SPEED: SPEED,
    "memory": SPEED,
    "equivalence": PARITY,
    "v2-validation": PARITY,
    "v2-scaling": SCALING,
    "v2-throughput": SPEED,
    "v1-comparison": PARITY,
    ALL: ALL,
}
"""The suites of earlier versions, and what is measured for them. Those that compared results do so with a reference in
FP32 that computes one sequence at a time, as the first version did.
"""

DATA_SIZES = ("tiny", "small", "medium", "large")
LEAST_SPEEDUP = 0.8
"""The least share of the sum of all GPUs that they reach beside each other: 1.6 times on two, as before."""

LEAST_OF_BEFORE = 0.9
"""The least share of the speed in --compare-to; two runs differ by some percent."""

QUICK_FRAMES = 100
GPU_MODELS, CPU_MODELS = "3B,dnabert-s", "8M,dnabert-s"
PARITY_CODES = (ExitCode.OK, ExitCode.JOB_FAILED)


class EarlierCode(IntEnum):
    """The exit codes of this command; they are the same with and without --exit-codes old."""

    MET = 0
    NOT_MET = 1
    COULD_NOT_RUN = 2


Bench = Callable[[Sequence[str], str], list[list[dict[str, Any]]]]


class CannotCompareError(Exception):
    """Results cannot be compared on this host; the text says why."""


@click.command("benchmark")
@click.option("--suite", type=click.Choice(list(SUITES)), default=ALL, show_default=True, help="The suite to run.")
@click.option("--data-size", type=click.Choice(DATA_SIZES), help="No effect any more: packs are always full.")
@click.option("--gpus", help="GPUs as a list, such as 0,1; default: all, or the processor if there is none.")
@click.option(
    "-o",
    "--output-dir",
    type=PathType(path_type=Path),
    default=Path("tests/reports"),
    show_default=True,
    help="Folder for the report, as .json and .md.",
)
@click.option(
    "--compare-to", type=PathType(path_type=Path, exists=True, dir_okay=False), help="An earlier .json of this command."
)
@click.option("--vanilla-baseline", is_flag=True, help="No effect any more: suite equivalence has the reference.")
@click.option(
    "--quick", is_flag=True, help="Measure the smallest model alone, scaling if there are GPUs, and compare few frames."
)
@click.option("--models", help="Models as 'bench' names them; default: 3B,dnabert-s, without a GPU 8M,dnabert-s.")
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    suite: str,
    data_size: str | None,
    gpus: str | None,
    output_dir: Path,
    compare_to: Path | None,
    vanilla_baseline: bool,
    quick: bool,
    models: str | None,
) -> int:
    """Measure speed and memory of the models on each GPU, then on all beside each other, compare the results of the
    bundle that is set with a reference, and write a report.

    Exits with 0 if all is as fast and as exact as it should be, 1 if not, 2 if the suite cannot be measured here.
    """
    for given, line in (
        (data_size, "--data-size has no effect any more: packs are always full"),
        (vanilla_baseline, "--vanilla-baseline has no effect any more: suite equivalence has the reference"),
    ):
        if given:
            say(line)
    wanted = SUITES[suite]
    before = None if compare_to is None else rows_of(compare_to)
    require_extra("worker")
    check_place(output_dir)
    devices = devices_of(gpus)
    if quick and wanted == ALL and len(devices) > 1:
        wanted = SCALING
    if wanted == SCALING and len(devices) < 2:
        say("suite scaling needs two GPUs or more")
        return EarlierCode.COULD_NOT_RUN
    chosen = models or ("8M" if quick else CPU_MODELS if devices == ["cpu"] else GPU_MODELS)
    report: dict[str, Any] = {"alone": [], "scaling": []}
    if wanted != PARITY:
        report = measure(devices, chosen, scaling=wanted != SPEED and len(devices) > 1, bench=bench_processes)
    if wanted in (PARITY, ALL):
        try:
            report["parity"] = parity_processes(settings_of(context), devices, frames=QUICK_FRAMES if quick else None)
        except CannotCompareError as error:
            say(f"results are not compared: {error}")
            if wanted == PARITY:
                return EarlierCode.COULD_NOT_RUN
    report["failures"] = failures(report, before)
    name = f"benchmark_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    output_dir.mkdir(parents=True, exist_ok=True)
    for ending, text in ((".json", json.dumps(report, indent=2) + "\n"), (".md", as_markdown(report))):
        write_bytes(output_dir / f"{name}{ending}", text.encode())
    click.echo(as_markdown(report), nl=False)
    say(f"the report is in {output_dir / name}.json and .md")
    return EarlierCode.NOT_MET if report["failures"] else EarlierCode.MET


def devices_of(gpus: str | None) -> list[str]:
    """The devices to measure, as 'bench' names them. Raises SettingsError for what is no list of GPUs."""
    if gpus is None:
        found = list_gpus() or ()
        return [str(place) for place in range(len(found))] or ["cpu"]
    words = [word.strip() for word in gpus.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words) or len(set(words)) < len(words):
        raise SettingsError(f"--gpus {gpus!r:.80} is not a list of GPUs", hint="write numbers, as 0 or 0,1")
    return words


def measure(devices: Sequence[str], models: str, *, scaling: bool, bench: Bench) -> dict[str, Any]:
    """The rows of `virnucpro bench` of each device alone, and with `scaling` of all beside each other."""
    rows = []
    for device in devices:
        say(f"measuring {models} on {device}")
        rows += [row | {"device": device} for found in bench([device], models) for row in found]
    report: dict[str, Any] = {"devices": list(devices), "models": models, "alone": rows, "scaling": []}
    if scaling:
        say(f"measuring {models} on {', '.join(devices)} beside each other")
        together = [row for found in bench(devices, models) for row in found]
        for key in dict.fromkeys((row["model"], row["sequence"]) for row in rows):
            alone, beside = (
                sum(row["tokens_per_second"] for row in some if (row["model"], row["sequence"]) == key)
                for some in (rows, together)
            )
            report["scaling"].append(
                {
                    "model": key[0],
                    "sequence": key[1],
                    "share_of_sum": beside / alone,
                    "speedup": beside / alone * len(devices),
                }
            )
    return report


def bench_processes(devices: Sequence[str], models: str) -> list[list[dict[str, Any]]]:
    """Run `virnucpro bench` on all devices at the same time; returns the rows of each. Raises BackendError."""
    environment = child_environment(load_settings())
    processes = [
        subprocess.Popen(
            isolated_command("virnucpro_tasks.cli.main", "bench", "--json", "--device", device, "--models", models),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for device in devices
    ]
    found = []
    try:
        for device, process in zip(devices, processes, strict=True):
            out, errors = process.communicate()
            if process.returncode:
                raise BackendError(f"{device} cannot be measured: {_last_words(errors)}")
            found.append(json.loads(out))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    return found


def parity_processes(settings: Settings, devices: Sequence[str], *, frames: int | None) -> list[dict[str, Any]]:
    """Run `virnucpro parity` on each device; returns their reports. Raises CannotCompareError."""
    environment = child_environment(settings)
    more = [] if frames is None else ["--frames", str(frames)]
    found = []
    for device in devices:
        say(f"comparing results on {device}")
        words = ["parity", "--json", "--device", device, *more]
        done = subprocess.run(
            isolated_command("virnucpro_tasks.cli.main", *words), env=environment, capture_output=True, check=False
        )
        if done.returncode not in PARITY_CODES:
            raise CannotCompareError(_last_words(done.stderr))
        found.append(json.loads(done.stdout) | {"place": device})
    return found


def _last_words(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    return lines[-1].removeprefix("virnucpro: error: ")


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The rows of an earlier report. Raises InputError for any other file."""
    try:
        rows = json.loads(file.read_bytes())["alone"]
        for row in rows:
            _ = (row["model"], row["sequence"], row["device"], float(row["tokens_per_second"]))
        return list(rows)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError("it is no report of 'virnucpro benchmark'", file=str(file)) from None


def failures(report: dict[str, Any], before: list[dict[str, Any]] | None) -> list[str]:
    """Say in words where a report is slower, or less exact, than it should be."""
    found = [
        f"{row['model']}, {row['sequence']}: all GPUs reach {row['share_of_sum']:.2f} of their sum, not {LEAST_SPEEDUP}"
        for row in report["scaling"]
        if row["share_of_sum"] < LEAST_SPEEDUP
    ]
    found += [
        f"{row['place']}: {row['precision']} is not within the limits of 'virnucpro parity'"
        for row in report.get("parity", ())
        if not row["passes"]
    ]
    rates = {(row["model"], row["sequence"], row["device"]): row["tokens_per_second"] for row in report["alone"]}
    for row in before or ():
        rate = rates.get((row["model"], row["sequence"], row["device"]))
        if rate is not None and rate < LEAST_OF_BEFORE * row["tokens_per_second"]:
            share = rate / row["tokens_per_second"]
            found.append(f"{row['model']}, {row['sequence']}, {row['device']}: {share:.2f} of the speed before")
    return found


def as_markdown(report: dict[str, Any]) -> str:
    """The report for a person."""
    lines = (
        []
        if not report["alone"]
        else [
            "| device | model | sequence | tokens/s | sequences/s | peak, GB |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
    )
    for row in report["alone"]:
        cells = [row["device"], row["model"], row["sequence"], f"{row['tokens_per_second']:,.0f}"]
        cells += [
            f"{row['sequences_per_second']:,.1f}",
            f"{row['peak_bytes'] / 1e9:.1f}" if row["peak_bytes"] else "NA",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        f"\n{row['model']}, {row['sequence']}: {row['speedup']:.2f} times as fast on all GPUs"
        for row in report["scaling"]
    ]
    for row in report.get("parity", ()):
        lines += [
            f"\n{row['place']}, {row['precision']}, {vectors['model']} against {vectors['reference']}: centred cosine "
            f"of at least {vectors['centred_cosine_minimum']:.6f}"
            for vectors in row["vectors"]
        ]
        if row["scores"] is not None:
            changed = row["scores"]["labels_changed"]
            lines.append(f"\n{row['place']}: {changed:,} of {counted(row['frames'], 'frame')} with another label")
    lines += [f"\nnot met: {failure}" for failure in report["failures"]]
    return "\n".join(lines).strip() + "\n"
