"""`virnucpro prune`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click

from virnucpro_tasks.cli.columns import Column, aligned
from virnucpro_tasks.cli.deployment import app_of, tell_if_full
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import AgeType, deployment_options, json_option, settings_of
from virnucpro_tasks.errors import BrokerError, ExitCode, SettingsError, counted, printable, size_text
from virnucpro_tasks.jobs.authority import foreign_owner
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.jobs.job_names import names_of_jobs
from virnucpro_tasks.jobs.prune import Keep, Prunable, PruneRule, Unpruned, forget_submissions, prunable_jobs, prune
from virnucpro_tasks.queue.redis_checks import check_reachable
from virnucpro_tasks.queue.store_failures import clear_store_failures
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.users import login_name

DAY_SECONDS = 86_400.0
HEADINGS = ("job_id", "state", "days", "bytes", "owner", "names")


@click.command("prune")
@click.option(
    "--older-than",
    "older_than_seconds",
    type=AgeType(),
    metavar="TIME",
    help="Least time since the job ended: 30d, 12h; default: the setting retention_days.",
)
@click.option(
    "--keep",
    type=click.Choice([keep.value for keep in Keep]),
    help="What stays of finished jobs: nothing, or results, without what they were made from; default: the setting"
    " retention_keep.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and remove nothing.")
@click.option("--all-owners", is_flag=True, help="Jobs of everybody, not yours alone.")
@deployment_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    older_than_seconds: float | None,
    keep: str | None,
    dry_run: bool,
    all_owners: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Remove your jobs that ended some time ago: finished, failed and cancelled ones.

    Jobs that go on are never touched. Failed and cancelled jobs have no results, and are removed whole.
    """
    settings = settings_of(context, **flags)
    rule = _rule(settings, older_than_seconds, keep, all_owners=all_owners)
    require_store(settings.store)
    names = names_of_jobs(settings.store)
    pruned: list[Prunable] = []
    left: list[Unpruned] = []
    for found in prunable_jobs(settings.store, rule):
        reason = found if isinstance(found, Unpruned) else _refusal(found)
        if reason is None and isinstance(found, Prunable) and not dry_run:
            reason = prune(found, rule)
        if reason is not None:
            left.append(reason)
        elif isinstance(found, Prunable):
            pruned.append(found)
    if not dry_run:
        forget_submissions(settings.store, older_than_seconds=rule.older_than_seconds)
        _clear_redis(settings, [found for found in pruned if found.state != "done"])
    rows = [_row(found, names.get(found.job.job_id, [])) for found in pruned]
    if as_json:
        left_rows = [{"job_id": one.job_id, "reason": one.reason} for one in left]
        print_json({"dry_run": dry_run, "keep": rule.keep.value, "jobs": rows, "left": left_rows})
    else:
        _print(rows)
        say(_total(pruned, rule, dry_run=dry_run))
    for one in left:
        say(f"warning: job {one.job_id} stays: {one.reason}")
    return ExitCode.JOB_FAILED if left else ExitCode.OK


def _rule(settings: Settings, older_than_seconds: float | None, keep: str | None, *, all_owners: bool) -> PruneRule:
    if older_than_seconds is None and settings.retention_days is not None:
        older_than_seconds = settings.retention_days * DAY_SECONDS
    if older_than_seconds is None:
        raise SettingsError("no age is given", hint="as --older-than 30d, or by the setting retention_days")
    rule = PruneRule(older_than_seconds, keep=Keep(keep or settings.retention_keep))
    if all_owners:
        return rule
    return PruneRule(rule.older_than_seconds, rule.keep, owner=settings.owner or login_name(), uid=os.geteuid())


def _refusal(found: Prunable) -> Unpruned | None:
    """The reason for which this user may not remove a job, None if it is his to remove."""
    owner = foreign_owner(found.job.paths)
    if owner is None:
        return None
    return Unpruned(found.job.job_id, f"{owner} submitted it: that user, or the owner of the store, can remove it")


def _clear_redis(settings: Settings, jobs: Sequence[Prunable]) -> None:
    """Delete what Redis holds of failed and cancelled jobs; without Redis it is a warning, as the jobs are gone."""
    if not jobs:
        return
    app = app_of(settings)
    try:
        check_reachable(app)
        tell_if_full(app)
        for found in jobs:
            clear_store_failures(app.backend.client, found.job.job_id)
    except BrokerError as error:
        say(f"warning: {error}")


def _row(found: Prunable, names: Sequence[str]) -> dict[str, Any]:
    return {
        "job_id": found.job.job_id,
        "state": found.state,
        "days": round(found.age_seconds / DAY_SECONDS, 2),
        "bytes": found.freed_bytes,
        "owner": printable(found.job.spec.owner),
        "names": list(names),
    }


def _print(rows: Sequence[dict[str, Any]]) -> None:
    """A table on a terminal, elsewhere tab-separated lines with a heading."""
    if not sys.stdout.isatty():
        click.echo("\t".join(HEADINGS))
        for row in rows:
            click.echo("\t".join(str(value) for value in (row | {"names": ",".join(row["names"]) or "NA"}).values()))
        return
    if not rows:
        return
    columns = [
        Column("JOB", [next(iter(row["names"]), row["job_id"]) for row in rows], least=16),
        Column("STATE", [row["state"] for row in rows], least=9, rank=1),
        Column("ENDED", [f"{_age(row['days'])} ago" for row in rows], least=9, rank=3, is_number=True),
        Column("SIZE", [size_text(row["bytes"]) for row in rows], least=8, rank=2, is_number=True),
        Column("OWNER", [row["owner"] for row in rows], least=6, rank=4),
    ]
    for line in aligned(columns, width=shutil.get_terminal_size().columns):
        click.echo(line)


def _total(pruned: Sequence[Prunable], rule: PruneRule, *, dry_run: bool) -> str:
    what = f"{counted(len(pruned), 'job')} that ended {_age(rule.older_than_seconds / DAY_SECONDS)} ago or earlier"
    size = size_text(sum(found.freed_bytes for found in pruned))
    if dry_run:
        return f"{what}: {size} would be freed; nothing is removed (--dry-run)"
    kept = "; results are kept" if rule.keep is Keep.RESULTS and pruned else ""
    return f"{what}: {size} freed{kept}"


def _age(days: float) -> str:
    if days >= 1:
        return f"{days:,.0f}d"
    hours = days * 24
    if hours >= 1:
        return f"{hours:.0f}h"
    return f"{hours * 60:.0f}min" if hours * 60 >= 1 else f"{hours * 3600:.0f}s"
