"""`virnucpro bench`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from virnucpro_tasks.cli.extras import require_extra
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import json_option
from virnucpro_tasks.settings import ATTENTION_BACKENDS, PRECISIONS

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
@click.option("--device", default="cuda", show_default=True, help="cuda, cuda:1 or cpu.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="fp16", show_default=True, help="Precision of the models."
)
@click.option(
    "--attention", type=click.Choice(ATTENTION_BACKENDS), default="auto", show_default=True, help="Attention backend."
)
@json_option
def command(*, models: str, device: str, precision: str, attention: str, as_json: bool) -> None:
    """Measure the speed of the models on this host: published sizes, random weights, nothing is downloaded."""
    require_extra("worker")
    # Imported here: it loads torch.
    from virnucpro_tasks.bench import bench

    rows = []
    for row in bench(models.split(","), device=device, precision=precision, attention=attention):
        rows.append(asdict(row))
        say(f"{row.model}, {row.sequence}: {row.tokens_per_second:,.0f} tokens/s", quiet=as_json)
    if as_json:
        print_json(rows)
        return
    click.echo("\t".join(HEADINGS))
    for measured in rows:
        click.echo("\t".join(_fields(measured)))


def _fields(row: dict[str, Any]) -> list[str]:
    return [
        row["model"],
        row["sequence"],
        row["attention"],
        f"{row['tokens_per_second']:.0f}",
        f"{row['sequences_per_second']:.0f}",
        f"{100 * row['share_of_ceiling']:.1f}",
        f"{row['ceiling_teraflops']:.1f}",
        f"{row['token_fill']:.3f}",
        f"{row['peak_bytes'] / 1e9:.2f}",
    ]
