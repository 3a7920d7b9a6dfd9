"""`virnucpro report`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import STANDARD_OUTPUT, PathType
from virnucpro_tasks.cli.preflight import require_kept, require_new_file
from virnucpro_tasks.cli.write_file import write_new_file
from virnucpro_tasks.errors import InputError, OutputError
from virnucpro_tasks.jobs.progress import read_report
from virnucpro_tasks.paths import COMMIT_MARK, LOG_FILE
from virnucpro_tasks.report.entries import require_entries
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.files import file_sha256, read_object, write_bytes, write_json


@click.command("report")
@click.argument("results", type=PathType(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=PathType(path_type=Path, allow_dash=True),
    help="Page to write, report.html in RESULTS by default; '-' is standard output.",
)
@click.option("-f", "--force", is_flag=True, help="Replace a file at --output, whatever it is.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def command(*, results: Path, output: Path | None, force: bool, quiet: bool) -> None:
    """Make the report page from a folder of RESULTS again, without computing anything.

    The results may be of an earlier version. Their own page is replaced; a page elsewhere or another file only with
    --force.
    """
    run = _run(results)
    # Imported here: they load pyarrow.
    from virnucpro_tasks.output.tables import REPORT_FILE, file_name
    from virnucpro_tasks.report.page import is_report

    prefix = run["parameters"].get("outputs", {}).get("prefix", "")
    place = results / file_name(REPORT_FILE, prefix=prefix)
    if output == STANDARD_OUTPUT:
        sys.stdout.buffer.write(_page(results, run).encode())
        return
    page = output or place
    is_own = os.path.realpath(page) == os.path.realpath(place)
    require_new_file(page, force=force, may_replace=lambda file: is_own and is_report(file))
    replaces = force or os.path.lexists(page)
    others = {*run["sha256"], *run["times"].get("sha256", {}), COMMIT_MARK, LOG_FILE} - {place.name}
    require_kept([results / name for name in sorted(others)], [page])
    text = _page(results, run)
    try:
        write_new_file(page, text.encode(), force=replaces)
        # Also by another path, such as an absolute one.
        if is_own:
            _note_digest(results, run, place)
    except OSError as error:
        cause = cause_of(error, page)
        raise OutputError(f"{page} cannot be written: {cause.words}", hint=cause.advice) from error
    say(f"report {page}", quiet=quiet)


def _page(results: Path, run: dict[str, Any]) -> str:
    """The report page. Raises InputError if the results cannot be read, or are none."""
    from virnucpro_tasks.report.content import read_content
    from virnucpro_tasks.report.page import report_page

    try:
        content = read_content(results, run)
    except OSError as error:
        cause = cause_of(error, results)
        raise InputError(f"the results cannot be read: {cause.words}", file=str(results), hint=cause.advice) from None
    return report_page(content)


def _run(results: Path) -> dict[str, Any]:
    """The content of run.json. Raises InputError for a folder that has none, DamagedError for another file."""
    file = results / COMMIT_MARK
    if not file.is_file():
        raise InputError(
            f"there is no {COMMIT_MARK}", file=str(results), hint="name the folder of the results of a finished job"
        )
    read_report(file)
    run = read_object(file)
    require_entries(run, file)
    return run


def _note_digest(results: Path, run: dict[str, Any], page: Path) -> None:
    """Write the digest of a page into run.json and into the crate, which tell whether the files are whole."""
    from virnucpro_tasks.output.tables import CRATE_FILE
    from virnucpro_tasks.report.crate import crate

    digests = run["times"].setdefault("sha256", {})
    digest = file_sha256(page)
    if digests.get(page.name) == digest:
        return
    digests[page.name] = digest
    # It lists all files but itself.
    if "outputs" in run["parameters"] and digests.pop(CRATE_FILE, None):
        write_bytes(results / CRATE_FILE, crate(results, run))
        digests[CRATE_FILE] = file_sha256(results / CRATE_FILE)
    write_json(results / COMMIT_MARK, run)
