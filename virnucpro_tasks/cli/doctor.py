"""`virnucpro doctor`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.leftovers import Leftover, find_leftovers, remove_leftovers
from virnucpro_tasks.cli.messages import print_json, print_text, say
from virnucpro_tasks.cli.options import PathType, bundle_option, deployment_options, json_option, settings_of
from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Finding, Outcome, Status
from virnucpro_tasks.diagnosis.run import CHECKS, Check, run_check
from virnucpro_tasks.errors import ExitCode, InputError
from virnucpro_tasks.jobs.find import require_store

MARKS = {Status.OK: "ok", Status.WARNING: "WARNING", Status.FAILED: "FAILED"}
MARK_CHARACTERS = 9
MOST_NAMED = 3


@click.command("doctor")
@click.argument("folders", nargs=-1, type=PathType(path_type=Path))
@click.option("--clean", is_flag=True, help="Check nothing; remove what killed runs of this user left.")
@deployment_options
@bundle_option
@json_option
@click.pass_context
def command(context: click.Context, /, *, folders: tuple[Path, ...], clean: bool, as_json: bool, **flags: Any) -> int:
    """Check this host, store, bundle, Redis and workers. Exits with 0 only if a deployed job would run, else with 4.

    Leftovers of killed runs are listed, and removed with --clean: in the temporary folders of this host, the store, the
    current folder, and FOLDERS, such as folders of results.
    """
    settings = settings_of(context, **flags)
    for folder in folders:
        if not folder.is_dir():
            raise InputError("no such folder", file=str(folder))
    if clean and flags["store"] is not None:
        require_store(settings.store)
    places = [settings.store, *_current_folder(), *folders]
    if clean:
        return _clean(places, find_leftovers(places), as_json=as_json)
    deployment = Deployment(settings, app_of)
    findings = [run_check(name, check, deployment) for name, check in CHECKS.items()]
    looked = Check(lambda _: leftovers_outcome(find_leftovers(places)), needed=False)
    findings.append(run_check("leftovers", looked, deployment))
    missing = [finding.check for finding in findings if finding.prevents_jobs]
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        _print(findings)
        say(f"no deployed job would run: see {', '.join(missing)}" if missing else "a deployed job would run")
    return ExitCode.UNREACHABLE if missing else ExitCode.OK


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        mark, outcome = f"{MARKS[finding.status]:<{MARK_CHARACTERS}}", finding.outcome
        advice = f" ({outcome.advice})" if outcome.advice else ""
        print_text(f"{mark}{finding.check}: {outcome.detail}{advice}", hanging=MARK_CHARACTERS)


def _clean(places: list[Path], leftovers: list[Leftover], *, as_json: bool) -> int:
    left = remove_leftovers(places, leftovers)
    removed = [leftover for leftover in leftovers if leftover not in left]
    if as_json:
        print_json({"removed": [str(one.path) for one in removed], "left": [str(one.path) for one in left]})
    else:
        for one in removed:
            print_text(f"removed  {one}")
        if not leftovers:
            click.echo("no leftovers of killed runs")
    for one in left:
        say(f"warning: {one} cannot be removed")
    return ExitCode.UNEXPECTED if left else ExitCode.OK


def leftovers_outcome(leftovers: list[Leftover]) -> Outcome:
    """Report the files that killed runs left, the first few by name."""
    values = {"paths": [str(one.path) for one in leftovers]}
    if not leftovers:
        return Outcome("none of killed runs", values=values)
    more = f"; and {len(leftovers) - MOST_NAMED:,} more" if len(leftovers) > MOST_NAMED else ""
    named = "; ".join(map(str, leftovers[:MOST_NAMED]))
    return Outcome(f"{named}{more}", Status.WARNING, "'virnucpro doctor --clean' removes them", values)


def _current_folder() -> list[Path]:
    with suppress(OSError):
        return [Path.cwd()]
    return []
