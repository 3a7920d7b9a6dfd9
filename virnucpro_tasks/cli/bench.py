"""`virnucpro bench`."""

from __future__ import annotations

import math
import os
from dataclasses import asdict
from typing import Any

import click

from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import json_option, settings_of, threads_option
from virnucpro_tasks.cli.preflight import check_engine
from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.models.sizes import require_published
from virnucpro_tasks.settings import ATTENTION_BACKENDS, PRECISIONS, Settings
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.devices import DeviceSlot, device_environment
from virnucpro_tasks.system.extras import require_extra

DEFAULT_MODELS = "3B,dnabert-s"
HEADINGS = (
    *("model", "sequence", "attention", "tokens/s", "sequences/s", "% of ceiling", "ceiling, TFLOP/s"),
    *("token fill", "peak, GB"),
)


@click.command("bench")
@click.option(
    "--models",
    default=DEFAULT_MODELS,
    show_default=True,
    help="Comma-separated: dnabert-s, and sizes of ESM-2 from 8M to 15B.",
)
@click.option(
    "-d",
    "--device",
    "--devices",
    "device",
    default="gpu",
    show_default=True,
    help="One device: gpu (the first), gpu:1, 1 or cpu.",
)
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="fp16", show_default=True, help="Precision of the models."
)
@click.option(
    "--attention", type=click.Choice(ATTENTION_BACKENDS), default="auto", show_default=True, help="Attention backend."
)
@threads_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    models: str,
    device: str,
    precision: str,
    attention: str,
    as_json: bool,
    **flags: Any,
) -> None:
    """Measure the speed of the models on this host: published sizes, random weights, nothing is downloaded."""
    settings = settings_of(context, attention=attention, **flags)
    names = [name.strip() for name in models.split(",")]
    require_published(names)
    limit_cores(settings.threads)
    require_extra("worker")
    slot = one_device(settings, device, precision=precision)
    os.environ |= device_environment(slot)
    # Imported here: it loads torch.
    from virnucpro_tasks.bench import bench

    rows = []
    for row in bench(names, device="cuda" if slot.is_gpu else "cpu", precision=precision, attention=attention):
        rows.append(asdict(row))
        say(f"{row.model}, {row.sequence}: {significant(row.tokens_per_second, separator=',')} tokens/s", quiet=as_json)
    if as_json:
        print_json(rows)
        return
    click.echo("\t".join(HEADINGS))
    for measured in rows:
        click.echo("\t".join(_fields(measured)))


def one_device(settings: Settings, device: str, *, precision: str) -> DeviceSlot:
    """The device that is measured; of several GPUs called `gpu`, `cuda` or `auto` the first."""
    slots = check_engine(settings, devices=device, precision=precision)
    if "," in device:
        raise BackendError(f"--device {device!r} is not one device", hint="this command measures one at a time")
    return slots[0]


def _fields(row: dict[str, Any]) -> list[str]:
    return [
        row["model"],
        row["sequence"],
        row["attention"],
        significant(row["tokens_per_second"]),
        significant(row["sequences_per_second"]),
        significant(100 * row["share_of_ceiling"]),
        significant(row["ceiling_teraflops"]),
        f"{row['token_fill']:.3f}",
        significant(row["peak_bytes"] / 1e9) if row["peak_bytes"] else "NA",
    ]


def significant(number: float, *, separator: str = "") -> str:
    """`number` with at least three significant digits, never in powers of ten; whole from 100 on, with `separator`
    between thousands.
    """
    if not number or not math.isfinite(number):
        return f"{number:g}"
    return f"{number:{separator}.{max(0, 2 - math.floor(math.log10(abs(number))))}f}"
