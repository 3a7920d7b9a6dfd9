"""`virnucpro chaos`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.extras import require_extra
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import bundle_option, json_option, settings_of
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.models.locate import DEMONSTRATION
from virnucpro_tasks.system.temporary import TemporaryFolder

LEASE_SECONDS = 5.0
SHARD_TOKENS = 1_000
SOFT_SHUTDOWN_SECONDS = 1.0


@click.command("chaos")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path, exists=True, dir_okay=False))
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
    require_extra("worker")
    # Imported here: it needs packages that a client does not have.
    from virnucpro_tasks.chaos.drill import run_drill

    with TemporaryFolder("virnucpro-chaos-") as folder:
        settings = replace(
            settings_of(context, **flags, bundle=bundle, store=folder),
            bundle=bundle or DEMONSTRATION,
            lease_seconds=LEASE_SECONDS,
            soft_shutdown_seconds=SOFT_SHUTDOWN_SECONDS,
            shard_tokens=SHARD_TOKENS,
        )
        drill = run_drill(settings, source, faults=faults, seed=seed, workers=workers, say=say)
    print_json(drill.as_dict()) if as_json else click.echo(drill.table())
    return ExitCode.OK if drill.same else ExitCode.UNEXPECTED
