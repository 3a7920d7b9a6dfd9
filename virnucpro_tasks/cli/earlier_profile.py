"""`virnucpro profile` of earlier versions: the size of packs that is fastest on a device."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.bench import one_device, significant
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import PathType, settings_of, threads_option
from virnucpro_tasks.cli.preflight import require_new_file
from virnucpro_tasks.cli.write_file import write_new_file
from virnucpro_tasks.errors import BackendError, InputError
from virnucpro_tasks.models.sizes import ESM2_NAMES
from virnucpro_tasks.settings import PRECISIONS
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.devices import device_environment
from virnucpro_tasks.system.extras import require_extra

DNABERT_S, ESM2, ESM2_SIZE = "dnabert-s", "esm2", "3B"
CHUNK_BASES = 500
BASES_PER_TOKEN = {DNABERT_S: 4.9, ESM2: 3.0}
"""Bases of real sequence; the tokens at both ends of a sequence are counted apart."""

ENDS = 2
RECORDS_READ = 1_000
"""Records of --test-file whose lengths are looked at."""


@click.command("profile")
@click.option(
    "-m",
    "--model",
    type=click.Choice([DNABERT_S, ESM2, *ESM2_NAMES]),
    required=True,
    help="The model; esm2 is the size 3B.",
)
@click.option("-d", "--device", default="cuda:0", show_default=True, help="One device, as cuda:0, 1 or cpu.")
@click.option("--min-batch", type=click.IntRange(min=64), default=512, show_default=True, help="Tokens to begin with.")
@click.option("--max-batch", type=click.IntRange(min=64), default=8192, show_default=True, help="Tokens to end with.")
@click.option("--step", type=click.IntRange(min=1), default=512, show_default=True, help="Tokens more each time.")
@click.option(
    "--test-file", type=PathType(path_type=Path), help="FASTA whose records say how long sequences are; default: 500."
)
@click.option("-o", "--output", type=PathType(path_type=Path), help="File for the JSON.")
@click.option("-f", "--force", is_flag=True, help="Replace the file.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="fp16", show_default=True, help="Precision of the models."
)
@threads_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    model: str,
    device: str,
    min_batch: int,
    max_batch: int,
    step: int,
    test_file: Path | None,
    output: Path | None,
    force: bool,
    precision: str,
    **flags: Any,
) -> None:
    """Measure packs of growing size, random weights, until one does not fit; --token-budget then takes the fastest.

    Jobs need no such number: without it packs are measured when workers start.
    """
    if max_batch < min_batch:
        raise click.UsageError(f"--max-batch {max_batch} is less than --min-batch {min_batch}", context)
    settings = settings_of(context, **flags)
    if output is not None:
        require_new_file(output, force=force)
    tokens = sequence_tokens(model, test_file)
    limit_cores(settings.threads)
    require_extra("worker")
    slot = one_device(settings, device, precision=precision)
    os.environ |= device_environment(slot)
    # Imported here: it loads torch.
    from virnucpro_tasks.bench import pack_rates

    rates = []
    for rate in pack_rates(
        ESM2_SIZE if model == ESM2 else model,
        range(min_batch, max_batch + 1, step),
        sequence_tokens=tokens,
        device="cuda" if slot.is_gpu else "cpu",
        precision=precision,
    ):
        rates.append(rate)
        say(f"{rate.tokens:,} tokens: {significant(rate.sequences_per_second, separator=',')} sequences/s")
    if not rates:
        raise BackendError(f"not even packs of {min_batch} tokens fit into the memory of {device}")
    best = max(rates, key=lambda rate: rate.sequences_per_second)
    report = {
        "optimal_batch_size": best.tokens,
        "max_batch_size": rates[-1].tokens,
        "throughput_curve": [[rate.tokens, round(rate.sequences_per_second, 3)] for rate in rates],
        "memory_curve": [[rate.tokens, rate.peak_bytes] for rate in rates],
        "bf16_enabled": precision == "bf16",
        "device": device,
    }
    text = json.dumps(report, indent=2)
    if output is None:
        click.echo(text)
    else:
        write_new_file(output, f"{text}\n".encode(), force=force)
        say(f"the figures are in {output}")
    say(f"fastest are packs of {best.tokens:,} tokens: --token-budget {best.tokens}")


def sequence_tokens(model: str, file: Path | None) -> int:
    """Tokens of a sequence as `model` sees it: a chunk of 500 bases, or of the mean length of the records in `file`.

    Raises InputError.
    """
    bases = float(CHUNK_BASES)
    if file is not None:
        from virnucpro_tasks.reads.quality import all_originals

        lengths = [min(len(sequence), CHUNK_BASES) for _, sequence in islice(all_originals(file), RECORDS_READ)]
        if not sum(lengths):
            raise InputError("it holds no sequence", file=str(file))
        bases = sum(lengths) / len(lengths)
    return ENDS + max(1, round(bases / BASES_PER_TOKEN[DNABERT_S if model == DNABERT_S else ESM2]))
