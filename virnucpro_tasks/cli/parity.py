"""`virnucpro parity`: the engine against an independent FP32 path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.bench import one_device
from virnucpro_tasks.cli.messages import hashing_note, print_json, say
from virnucpro_tasks.cli.options import (
    NumberRange,
    PathType,
    bundle_option,
    engine_options,
    json_option,
    settings_of,
)
from virnucpro_tasks.cli.preflight import default_precision
from virnucpro_tasks.cli.summary import cut_id
from virnucpro_tasks.errors import ExitCode, counted
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.settings import PRECISIONS
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.devices import CPU, device_environment
from virnucpro_tasks.system.extras import require_extra

ID_WIDTH = 34


@click.command("parity")
@click.argument("inputs", nargs=-1, type=PathType(path_type=Path))
@bundle_option
@click.option(
    "-d",
    "--device",
    "--devices",
    "device",
    default="auto",
    show_default=True,
    help="One device: auto (the first GPU, else the CPU), gpu:1, 1 or cpu.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Precision of the engine; default: that of the bundle, on a CPU fp32.",
)
@click.option(
    "--frames", type=click.IntRange(min=2), default=1_000, show_default=True, help="Open frames that are compared."
)
@click.option("--reference-on-cpu", is_flag=True, help="Compute the reference on the CPU, not on the same device.")
@click.option(
    "--least-cosine",
    type=NumberRange(-1, 1),
    default=0.99,
    show_default=True,
    help="Least centred cosine of any vector.",
)
@click.option(
    "--most-changed",
    type=NumberRange(0, 1),
    default=0.001,
    show_default=True,
    help="Largest share of frames with another label.",
)
@engine_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    inputs: tuple[Path, ...],
    *,
    device: str,
    frames: int,
    reference_on_cpu: bool,
    least_cosine: float,
    most_changed: float,
    as_json: bool,
    **flags: Any,
) -> ExitCode:
    """Compare the engine with independent models in FP32, for a bundle on a device.

    Open frames of INPUTS, by default of the sample that is shipped, are computed twice: by the engine, and one at a
    time by fair-esm, by transformers and by plain code. The exit code is 5 if a limit is not kept.
    """
    settings = settings_of(context, **flags)
    limit_cores(settings.threads)
    require_extra("worker")
    require_extra("reference")
    bundle = find_bundle(settings.bundle, announce=hashing_note(quiet=as_json))
    precision = settings.precision or bundle.description.precision
    slot = one_device(settings, device, precision=precision)
    precision = settings.precision or default_precision(precision, [slot])
    os.environ |= device_environment(slot)
    # Imported here: they load torch.
    from virnucpro_tasks.parity import engine_options_of, frames_to_compare, parity
    from virnucpro_tasks.reference.comparison import Limits

    place = "cuda" if slot.is_gpu else CPU
    report = parity(
        bundle,
        frames_to_compare(inputs, chunk_length=bundle.description.chunk_length, most=frames),
        engine_options_of(settings, device=place, precision=precision),
        reference_device=CPU if reference_on_cpu else place,
        limits=Limits(least_cosine, most_changed),
        tell=lambda text: say(text, quiet=as_json),
    )
    if as_json:
        print_json(report)
    else:
        for line in report_lines(report):
            click.echo(line)
    return ExitCode.OK if report["passes"] else ExitCode.JOB_FAILED


def report_lines(report: dict[str, Any]) -> list[str]:
    """The report as tables for a terminal of 80 columns."""
    lines = [f"{'model':<10}{'reference':<14}{'cosine: least':>14}{'centred: median':>17}{'least':>10}"]
    for row in [*report["vectors"], report["references"]]:
        lines.append(
            f"{row['model']:<10}{row['reference']:<14}{row['cosine_minimum']:>14.6f}"
            f"{row['centred_cosine_median']:>17.6f}{row['centred_cosine_minimum']:>10.6f}"
        )
    limits, scores = report["limits"], report["scores"]
    if scores is None:
        lines += ["", "labels: none, the bundle has no head"]
    else:
        lines += [
            "",
            f"labels: {scores['labels_changed']:,} of {counted(report['frames'], 'frame')} changed; largest change of "
            f"P(virus) {scores['largest_change']:.2g}",
        ]
    headings = f"{'chunk':>7}{'frame':>6}{'cosine':>10}{'P(virus)':>10}{'reference':>11}"
    lines += ["", f"{'most different':<{ID_WIDTH}}{headings}"]
    for frame in report["worst"]:
        pair = (frame["score"], frame["reference_score"])
        ours, theirs = ("NA" if value is None else f"{value:.6f}" for value in pair)
        mark = " *" if frame["label_changed"] else ""
        lines.append(
            f"{cut_id(frame['record_id']):<{ID_WIDTH}}{frame['chunk']:>7}{frame['frame']:>6}"
            f"{frame['centred_cosine']:>10.6f}{ours:>10}{theirs:>11}{mark}"
        )
    verdict = "within" if report["passes"] else "NOT within"
    lines += [
        "",
        f"{report['precision']} on {report['device']} is {verdict} the limits: centred cosine of at least "
        f"{limits['least_centred_cosine']:g},",
        f"another label (*) in at most {limits['most_labels_changed']:.2%} of the frames",
    ]
    return lines
