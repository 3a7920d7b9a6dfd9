"""A run with --resume whose results are complete already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from virnucpro_tasks.cli.earlier_failures import put_failures
from virnucpro_tasks.cli.earlier_layout import put_classic_files
from virnucpro_tasks.cli.job_end import results_report
from virnucpro_tasks.cli.messages import accepted_code, print_json, say
from virnucpro_tasks.cli.work_folder import remove_work
from virnucpro_tasks.errors import DamagedError, ExitCode, OutputError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, RunReport, read_report
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.system.file_operations import exists, read_bytes
from virnucpro_tasks.system.files import file_matches

PACKAGE = "virnucpro-tasks"


def finished_before(job: Job, output: Path) -> RunReport | None:
    """The report of the results in `output` if they are those of `job`, which is then removed; None without any.

    Raises OutputError for results of other work, and for files that are no longer as they were written.
    """
    mark = output / COMMIT_MARK
    if not exists(mark):
        return None
    try:
        report, content = read_report(mark), json.loads(read_bytes(mark))
        changed = [name for name, sha256 in report.digests.items() if not file_matches(output / name, sha256)]
    except (DamagedError, OSError, ValueError):
        changed, content, report = [COMMIT_MARK], {}, None
    is_same = report is not None and _work_of(content) == _work(job)
    remove_work(job)
    if changed:
        raise OutputError(
            f"{output / changed[0]} is not as it was written", hint="--force starts over, and replaces the results"
        )
    if not is_same or report is None:
        raise OutputError(
            f"{output} holds results of other input, options, models or version",
            hint="choose another folder, or use --force to replace them",
        )
    return report


def end_finished(
    report: RunReport,
    output: Path,
    *,
    merged: Path | None,
    failures_of: Path | None,
    incomplete_ok: bool,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """End a command whose results were there before, as one that has just made them; returns its exit code.

    The classic tables are put into `merged`, too, and the failures of the input `failures_of` are listed as in the
    earlier package. Raises OutputError.
    """
    if merged is not None:
        put_classic_files(output, merged, force=False)
    if failures_of is not None:
        put_failures(output, output, failures_of, force=False)
    say(f"nothing is left to do: results are in {output}", quiet=quiet)
    if as_json:
        print_json(
            {
                "output": str(output.absolute()),
                "state": str(JobState.DONE),
                "exit_code": int(report.exit_code),
                "message": "",
                **results_report(report),
            }
        )
    return accepted_code(report.exit_code, incomplete_ok=incomplete_ok, quiet=quiet)


def _work(job: Job) -> dict[str, Any]:
    """All that the results of a job depend on, as `content_key` has it."""
    spec = job.spec
    return {
        "inputs": [_input(msgspec.to_builtins(entry)) for entry in spec.inputs],
        "parameters": json.loads(json.dumps(spec.parameters.for_results())),
        "bundle": spec.bundle_digest,
        "version": spec.version,
    }


def _work_of(content: Any) -> dict[str, Any] | None:
    """Read the work from the content of run.json; None if it is not of its form."""
    try:
        return {
            "inputs": [_input(entry) for entry in content["inputs"]],
            "parameters": content["parameters"],
            "bundle": content["model"]["digest"],
            "version": content["versions"][PACKAGE],
        }
    except (KeyError, TypeError, AttributeError):
        return None


def _input(entry: dict[str, Any]) -> list[Any]:
    return [entry["sha256"], Path(entry["name"]).name, entry.get("sample", ""), entry.get("mate", 0)]
