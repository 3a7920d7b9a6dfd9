"""`virnucpro submit`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.admission import admit, admit_again
from virnucpro_tasks.cli.deployment import app_of, check_redis
from virnucpro_tasks.cli.dry_run import tell_cost
from virnucpro_tasks.cli.follow import follow_deployed, how_to_go_on, require_end
from virnucpro_tasks.cli.imported import import_options, importing_from, tell_imported
from virnucpro_tasks.cli.job_end import end_report
from virnucpro_tasks.cli.messages import (
    accepted,
    hashing_note,
    print_json,
    require_chunk_length,
    say,
    say_if_terminal_is_read,
    warn_of_empty_inputs,
)
from virnucpro_tasks.cli.options import (
    PathType,
    deployment_options,
    job_options,
    json_option,
    outputs_of,
    settings_of,
    timeout_option,
)
from virnucpro_tasks.cli.preflight import check_inputs, check_place
from virnucpro_tasks.cli.results import copy_results, require_free, require_no_file_of_others
from virnucpro_tasks.cli.sample_inputs import inputs_of, sample_names
from virnucpro_tasks.cli.submitter import submitter_of
from virnucpro_tasks.cli.summary import say_summary_of
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.check_inputs import offering_empty_tables
from virnucpro_tasks.jobs.deduplicate import Submission, deduplicate, replace_submission
from virnucpro_tasks.jobs.job import remove_job
from virnucpro_tasks.jobs.job_names import checked_name
from virnucpro_tasks.jobs.original_rules import by_original_rules
from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.jobs.room_for_copies import require_room_for_copies
from virnucpro_tasks.jobs.sharing import job_rights
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.keys import DEFAULT_PRIORITY, HIGHEST, LOWEST
from virnucpro_tasks.models.locate import find_bundle, locate_bundle
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.queue.client import enqueue, hold_off_older_before, requeue_if_lost
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.system.file_operations import exists


@click.command("submit")
@job_options
@import_options
@deployment_options
@click.option(
    "--priority",
    type=click.IntRange(HIGHEST, LOWEST),
    default=DEFAULT_PRIORITY,
    show_default=True,
    help="Priority among the jobs of the same owner; 0 is served first.",
)
@click.option("--wait", is_flag=True, help="Follow the job until it ends.")
@click.option("-o", "--output", type=PathType(path_type=Path), help="Folder for the results; implies --wait.")
@timeout_option
@click.option("-f", "--force", is_flag=True, help="Replace result files in --output.")
@click.option("--name", "job_name", help="Name that commands take for the job instead of its id; one job has it.")
@click.option("--force-new", is_flag=True, help="Start a new job even if the same input was submitted before.")
@click.option(
    "--share-input", is_flag=True, help="Let the group of the workers read inputs that are closed to it, as a copy."
)
@click.option("--anyway", is_flag=True, help="Submit even if the store or Redis seems to lack room for the job.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    inputs: tuple[Path, ...],
    more_inputs: tuple[Path, ...],
    *,
    sheet: Path | None,
    chunk_length: int | None,
    allow_mismatch: bool,
    min_length: int | None,
    coverage: Coverage,
    both_strands: bool,
    compat: Compat,
    strict: bool,
    allow_empty: bool,
    incomplete_ok: bool,
    keep_embeddings: bool,
    dry_run: bool,
    old_folder: Path | None,
    import_check: str,
    priority: int,
    wait: bool,
    output: Path | None,
    force: bool,
    job_name: str | None,
    force_new: bool,
    share_input: bool,
    anyway: bool,
    timeout_seconds: float | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Submit INPUTS (FASTA, FASTQ or BAM, plain or compressed) as one job; prints its id.

    If the same input was submitted before, with the same parameters and bundle, that job is continued instead.
    """
    outputs = outputs_of(flags)
    settings = settings_of(context, **flags)
    settings, min_length = by_original_rules(
        settings, compat, min_length=min_length, coverage=coverage, both_strands=both_strands
    )
    waits = wait or output is not None
    if timeout_seconds is not None and not waits:
        raise click.UsageError("--timeout is the time to wait: give --wait or --output too", context)
    if job_name is not None:
        checked_name(job_name)
    if output is not None:
        require_free(output, force=force)
        check_place(output)
    located = locate_bundle(settings.bundle)
    require_chunk_length(chunk_length, located, allow_mismatch=allow_mismatch)
    importing = importing_from(old_folder, import_check)
    sources = inputs_of([*inputs, *more_inputs], sheet, output=output, prefix=outputs.prefix)
    if output is not None:
        require_no_file_of_others(output, force=force, samples=sample_names(sources), prefix=outputs.prefix)
    with offering_empty_tables():
        check_inputs(sources, strict=strict, allow_empty=allow_empty, compat=compat)
    if dry_run:
        tell_cost(
            sources,
            located,
            chunk_length=chunk_length,
            min_length=min_length,
            strict=strict,
            allow_empty=allow_empty,
            coverage=coverage,
            both_strands=both_strands,
            compat=compat,
            as_json=as_json,
        )
        return ExitCode.OK
    app = app_of(settings)
    check_redis(app)
    hold_off_older_before(app)
    submitter = submitter_of(app, share_input=share_input, sheet=sheet, old_folder=old_folder)
    paths = [source if isinstance(source, Path) else source.path for source in sources]
    job_rights(settings.store, paths, submitter)
    find_bundle(settings.bundle, announce=hashing_note())
    if not anyway:
        require_room_for_copies(settings.store, paths)
    say_if_terminal_is_read([*inputs, *more_inputs])
    with offering_empty_tables():
        job = submit(
            settings,
            sources,
            chunk_length=chunk_length,
            min_length=min_length,
            strict=strict,
            keep_embeddings=keep_embeddings,
            priority=priority,
            allow_empty=allow_empty,
            coverage=coverage,
            both_strands=both_strands,
            compat=compat,
            outputs=outputs,
            importing=importing,
            submitter=submitter,
        )
    if force_new:
        submission = Submission(job, None)
        replace_submission(settings.store, job, name=job_name)
    else:
        readmit = (lambda older: None) if anyway else partial(admit_again, app)
        submission = deduplicate(settings.store, job, name=job_name, before_reopening=readmit)
    job = submission.job
    warn_of_empty_inputs(job)
    tell_imported(job)
    start(app, submission, anyway=anyway)
    if not waits:
        print_json({"job_id": job.job_id, "found": submission.state}) if as_json else click.echo(job.job_id)
        return ExitCode.OK
    say(f"job {job.job_id}")
    again = how_to_go_on(job, output)
    progress = follow_deployed(
        app, job, lease_seconds=settings.lease_seconds, timeout_seconds=timeout_seconds, again=again
    )
    if output is not None and exists(job.paths.run):
        copy_results(job, output, force=force)
    say_summary_of(job, output)
    if as_json:
        print_json(end_report(progress, job, output))
    require_end(progress, timeout_seconds=timeout_seconds, hint=again)
    return accepted(progress, incomplete_ok=incomplete_ok)


def start(app: VirnucproApp, submission: Submission, *, anyway: bool) -> None:
    """Queue a new job; of an earlier one print what was found, and queue it again if it does not run.

    A new one that is refused is removed. Raises StoreError or BrokerError for one without room, unless `anyway`.
    """
    job = submission.job
    if submission.state is None:
        try:
            if not anyway:
                admit(app, job)
            enqueue(app, job)
        except BaseException:
            remove_job(job, force=True)
            raise
        return
    found = "has its results" if submission.state is JobState.DONE else f"was {submission.state}, and goes on"
    say(f"the same input was submitted before: job {job.job_id} {found} (--force-new computes it again)")
    if submission.state in (JobState.CANCELLED, JobState.FAILED):
        enqueue(app, job)
    elif submission.state is not JobState.DONE:
        requeue_if_lost(app, job)
