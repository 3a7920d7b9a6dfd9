"""`virnucpro utils` of earlier versions: devices, checks of FASTA and of .pt files, a settings file."""

from __future__ import annotations

import os
import platform
from dataclasses import fields
from enum import IntEnum
from pathlib import Path

import click

from virnucpro_tasks.cli import earlier_checkpoints
from virnucpro_tasks.cli.messages import print_text, say
from virnucpro_tasks.cli.options import PathType, WholeHelpGroup
from virnucpro_tasks.cli.preflight import require_new_file
from virnucpro_tasks.cli.write_file import write_new_file
from virnucpro_tasks.errors import InputError, counted, percent, printable
from virnucpro_tasks.reads.quality import Quality, all_originals, quality_of
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.gpu_facts import gpu_facts
from virnucpro_tasks.system.gpus import list_gpus
from virnucpro_tasks.system.host import available_cores, describe_processor, memory, processor_features

GIGABYTE = 1e9


class EarlierCode(IntEnum):
    """The exit codes of these commands; they are the same with and without --exit-codes old."""

    OK = 0
    FAILED = 1


@click.group("utils", cls=WholeHelpGroup)
def command() -> None:
    """The small helpers of earlier versions."""


command.add_command(earlier_checkpoints.command)


@command.command("list-devices")
def list_devices() -> None:
    """List the processor and the GPUs of this host, with the names that --device takes."""
    here = memory()
    room = "" if here is None else f", {here.free_bytes / GIGABYTE:.1f} of {here.limit_bytes / GIGABYTE:.1f} GB free"
    processor = describe_processor(processor_features(), platform.machine())
    print_text(f"cpu     {counted(available_cores(), 'core')}{room}, {processor}", hanging=8)
    gpus = list_gpus(say=say)
    if gpus is None:
        print_text("gpu     there is one, but it cannot be listed without the package nvidia-ml-py", hanging=8)
        return
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    place = 0
    for gpu in gpu_facts(gpus, mask=mask):
        # --device counts among the GPUs that are visible.
        name, place = (f"gpu:{place}", place + 1) if gpu.is_visible else ("-", place)
        parts = [printable(gpu.name)]
        if gpu.total_bytes is not None and gpu.free_bytes is not None:
            parts.append(f"{gpu.free_bytes / GIGABYTE:.1f} of {gpu.total_bytes / GIGABYTE:.1f} GB free")
        if gpu.capability is not None:
            parts.append("compute capability {}.{}".format(*gpu.capability))
        parts.append("available" if gpu.is_visible else f"hidden by CUDA_VISIBLE_DEVICES={mask}")
        print_text(f"{name:<8}{', '.join(parts)}", hanging=8)
    if not gpus:
        click.echo("no GPU")


@command.command("validate")
@click.argument("file", type=PathType(path_type=Path))
@click.option(
    "-e",
    "--max-errors",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Errors to list; all are counted.",
)
def validate(*, file: Path, max_errors: int) -> int:
    """Check the records of FILE (FASTA, FASTQ or BAM). Exits with 0 if there is one and none is at fault, else with 1.

    Errors are ids that repeat, empty sequences, and letters other than ACGTNRYKMSWBDHV; U and - are errors, too, though
    'predict' reads U as T. Ambiguous bases are a warning.
    """
    try:
        found = quality_of(all_originals(file), most_errors=max_errors)
    except InputError as error:
        say(f"error: {error}")
        return EarlierCode.FAILED
    for line in found.errors:
        print_text(f"error: {line}", hanging=7)
    if found.error_count > len(found.errors):
        click.echo(f"{found.error_count - len(found.errors):,} more errors are not listed")
    for line in _figures(found):
        print_text(line)
    click.echo(f"{printable(str(file))} is {'valid' if found.is_valid else 'not valid'}")
    return EarlierCode.OK if found.is_valid else EarlierCode.FAILED


def _figures(found: Quality) -> list[str]:
    if not found.records:
        return ["0 records"]
    mean = found.bases / found.records
    lines = [
        f"{counted(found.records, 'record')}, {counted(found.bases, 'base')}",
        f"lengths {found.shortest:,} to {found.longest:,}, mean {mean:,.1f}",
        f"{counted(found.duplicates, 'duplicate id')}, {counted(found.error_count, 'error')}",
    ]
    if found.ambiguous:
        share = percent(found.ambiguous, found.bases, decimals=2)
        records = counted(found.ambiguous_records, "record")
        lines.append(f"warning: {counted(found.ambiguous, 'ambiguous base')} ({share}) in {records}")
    return lines


@command.command("generate-config")
@click.option(
    "-o",
    "--output",
    type=PathType(path_type=Path),
    default=Path("virnucpro_config.yaml"),
    show_default=True,
    help="File to write.",
)
@click.option("-f", "--force", is_flag=True, help="Replace the file.")
def generate_config(*, output: Path, force: bool) -> None:
    """Write a settings file with all settings at their defaults, for --config or VIRNUCPRO_CONFIG."""
    require_new_file(output, force=force)
    write_new_file(output, default_settings().encode(), force=force)
    say(f"all settings are in {output}")


def default_settings() -> str:
    """A settings file in YAML with all defaults; a setting without one is a comment."""
    lines = ["# Settings of virnucpro; variables VIRNUCPRO_* and flags count more."]
    for setting in fields(Settings):
        lines.append(f"\n# {setting.metadata['help']}")
        lines.append(f"# {setting.name}:" if setting.default is None else f"{setting.name}: {setting.default}")
    return "\n".join(lines) + "\n"
