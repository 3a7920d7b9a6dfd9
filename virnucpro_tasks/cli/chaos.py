"""`virnucpro chaos`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import PathType, bundle_option, json_option, settings_of, threads_option
from virnucpro_tasks.cli.preflight import check_inputs
from virnucpro_tasks.errors import ExitCode, InputError
from virnucpro_tasks.models.locate import DEMONSTRATION, locate_bundle
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.extras import require_extra
from virnucpro_tasks.system.temporary import TemporaryFolder

LEASE_SECONDS = 5.0
SHARD_TOKENS = 1_000
SOFT_SHUTDOWN_SECONDS = 1.0
PROGRESS_LIMIT_SECONDS = 8.0
"""A process that was stopped is ended after this; longer than workers pause after a short failure of the store."""


@click.command("chaos")
@click.argument("source", metavar="INPUT", type=PathType(path_type=Path))
@click.option("--faults", type=click.IntRange(min=1), default=50, show_default=True, help="Number of faults to inject.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed of the kinds, targets and times of the faults."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Number of hosts, each with one CPU worker.",
)
@bundle_option
@threads_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    source: Path,
    *,
    faults: int,
    seed: int,
    workers: int,
    bundle: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Inject faults into a private Redis and CPU workers while INPUT is classified again and again.

    Exits with 1 if the results of any job differ from those of an undisturbed one. Touches no deployment.
    """
    asked = settings_of(context, **flags, bundle=bundle or DEMONSTRATION)
    limit_cores(asked.threads)
    require_extra("worker")
    locate_bundle(asked.bundle)
    check_inputs([source], strict=False, allow_empty=False)
    if not source.is_file():
        raise InputError("is no file, and every job of a drill reads it again", file=str(source))
    # Imported here: it needs packages that a client does not have.
    from virnucpro_tasks.chaos.drill import run_drill

    with TemporaryFolder("virnucpro-chaos-") as folder:
        settings = replace(
            asked,
            store=folder,
            lease_seconds=LEASE_SECONDS,
            soft_shutdown_seconds=SOFT_SHUTDOWN_SECONDS,
            shard_tokens=SHARD_TOKENS,
            progress_limit_seconds=PROGRESS_LIMIT_SECONDS,
        )
        drill = run_drill(settings, source, faults=faults, seed=seed, workers=workers, say=say)
    print_json(drill.as_dict()) if as_json else click.echo(drill.table())
    return ExitCode.OK if drill.same else ExitCode.UNEXPECTED
