"""`virnucpro predict`: one job with a deployment of its own on this host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.cli.dry_run import tell_cost
from virnucpro_tasks.cli.earlier_failures import put_failures, require_free_failures
from virnucpro_tasks.cli.earlier_layout import put_classic_files, require_free_layout
from virnucpro_tasks.cli.earlier_meaning import run_of, saying_resume
from virnucpro_tasks.cli.earlier_models import PUBLISHED_LENGTHS, chosen_bundle
from virnucpro_tasks.cli.earlier_options import EarlierOptionsCommand, earlier_options
from virnucpro_tasks.cli.finished import end_finished, finished_before
from virnucpro_tasks.cli.imported import earlier_work, import_options, importing_from, tell_imported
from virnucpro_tasks.cli.interrupted import saying_how_to_go_on
from virnucpro_tasks.cli.job_end import one_shot_report, tell_end
from virnucpro_tasks.cli.messages import (
    accepted,
    bundle_line,
    hashing_note,
    print_json,
    require_chunk_length,
    say,
    say_if_terminal_is_read,
    warn_of_empty_inputs,
)
from virnucpro_tasks.cli.one_shot import run_here
from virnucpro_tasks.cli.options import (
    PathType,
    devices_option,
    engine_options,
    job_options,
    json_option,
    outputs_of,
    settings_of,
)
from virnucpro_tasks.cli.preflight import check_engine, check_inputs, check_place, default_precision
from virnucpro_tasks.cli.results import EMBEDDINGS_FOLDER, copy_results, require_free, require_no_file_of_others
from virnucpro_tasks.cli.sample_inputs import inputs_of, sample_names
from virnucpro_tasks.cli.submitter import further_content
from virnucpro_tasks.cli.summary import say_summary
from virnucpro_tasks.cli.work_folder import WORK_FOLDER, go_on, open_work, other_inputs, remove_work, start_over
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.check_inputs import offering_empty_tables
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.original_rules import by_original_rules
from virnucpro_tasks.jobs.progress import RunReport, read_report
from virnucpro_tasks.jobs.readers import results_mode
from virnucpro_tasks.jobs.sharing import Submitter
from virnucpro_tasks.jobs.submit import named_inputs, require_coverage, submit
from virnucpro_tasks.models.locate import find_bundle, locate_bundle
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.extras import require_extra
from virnucpro_tasks.system.file_operations import exists, persistently
from virnucpro_tasks.system.run_lock import RunLock, lock_files, make_folder

GO_ON = "the same command, given again, goes on from the shards that are finished"
RESUME = "the same command with --resume goes on from the shards that are finished"


@click.command("predict", cls=EarlierOptionsCommand)
@job_options
@click.option(
    "-o",
    "--output",
    "--output-dir",
    "output",
    type=PathType(path_type=Path),
    help="Folder for the results; default: NAME_predictions, NAME being that of the input without its ending.",
)
@import_options
@devices_option
@click.option("-f", "--force", is_flag=True, help="Start over, and replace result files in --output.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@engine_options
@json_option
@earlier_options
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
    output: Path | None,
    devices: str,
    force: bool,
    quiet: bool,
    as_json: bool,
    earlier: Mapping[str, Any],
    **flags: Any,
) -> int:
    """Classify INPUTS (FASTA, FASTQ or BAM, plain or compressed) with a private Redis and private workers."""
    outputs = outputs_of(flags)
    asked = run_of(
        earlier,
        flags,
        inputs=[*inputs, *more_inputs],
        output=output,
        devices=devices,
        quiet=quiet,
        keep_embeddings=keep_embeddings,
        force=force,
    )
    output, devices, quiet, keep_embeddings = asked.output, asked.devices, asked.quiet, asked.keeps_embeddings
    settings = settings_of(context, **flags, store=output / WORK_FOLDER)
    settings, min_length = by_original_rules(
        settings, compat, min_length=min_length, coverage=coverage, both_strands=both_strands
    )
    limit_cores(settings.threads)
    require_extra("worker")
    require_free(output, force=force or asked.resumes)
    check_place(output)
    _require_no_file_yet(output, force=force or asked.resumes, prefix=outputs.prefix)
    if asked.merged is not None and not other_inputs(output):
        begun = asked.resumes and (exists(output / COMMIT_MARK) or exists(output / WORK_FOLDER))
        require_free_layout(asked.merged, force=force or begun)
        if asked.failures_of is not None:
            require_free_failures(output, force=force or begun)
        check_place(asked.merged)
    bundle_name = chosen_bundle(
        settings,
        given=flags["bundle"],
        model_type=earlier["earlier_model_type"],
        model_path=earlier["earlier_model_path"],
        classifiers={length: earlier[f"earlier_classifier_{length}"] for length in PUBLISHED_LENGTHS},
        chunk_length=chunk_length,
        allow_mismatch=allow_mismatch,
        quiet=quiet,
    )
    settings = replace(settings, bundle=bundle_name)
    if old_folder is None and asked.resumes:
        old_folder = earlier_work(output, [*inputs, *more_inputs])
    importing = importing_from(old_folder, import_check)
    located = locate_bundle(settings.bundle)
    require_chunk_length(chunk_length, located, allow_mismatch=allow_mismatch, quiet=quiet)
    precision = settings.precision or located.description.precision
    sources = inputs_of([*inputs, *more_inputs], sheet, output=output, prefix=outputs.prefix)
    with offering_empty_tables():
        check_inputs(sources, strict=strict, allow_empty=allow_empty, compat=compat, quiet=quiet)
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
    slots = check_engine(settings, devices=devices, precision=precision)
    settings = replace(settings, precision=settings.precision or default_precision(precision, slots))
    bundle = find_bundle(settings.bundle, announce=hashing_note(quiet=quiet))
    # Loaded for its errors, before a folder is made.
    load_head(bundle)
    require_coverage(bundle, coverage)
    say(bundle_line(bundle), quiet=quiet)
    further = further_content(sheet, old_folder)
    make_folder(output, mode=results_mode([*(source.path for source in named_inputs(sources)), *further], output))
    with (
        saying_how_to_go_on(RESUME if asked.starts_over else GO_ON),
        saying_resume(asked),
        RunLock(output, say=lambda line: say(line, quiet=quiet)) as lock,
    ):
        # Another run may have ended just before.
        require_free(output, force=force or asked.resumes)
        open_work(output)
        if not other_inputs(output) and not (asked.resumes and exists(output / COMMIT_MARK)):
            require_no_file_of_others(output, force=force, samples=sample_names(sources), prefix=outputs.prefix)
        say_if_terminal_is_read([*inputs, *more_inputs], quiet=quiet)
        with offering_empty_tables():
            job = submit(
                settings,
                sources,
                chunk_length=chunk_length,
                min_length=min_length,
                strict=strict,
                keep_embeddings=keep_embeddings,
                priority=0,
                allow_empty=allow_empty,
                coverage=coverage,
                both_strands=both_strands,
                compat=compat,
                outputs=outputs,
                importing=importing,
                submitter=Submitter.here(further=further),
            )
        if asked.resumes and not force and (before := finished_before(job, output)) is not None:
            return end_finished(
                before,
                output,
                merged=asked.merged,
                failures_of=asked.failures_of,
                incomplete_ok=incomplete_ok,
                as_json=as_json,
                quiet=quiet,
            )
        job = start_over(job) if asked.starts_over else go_on(job)
        warn_of_empty_inputs(job, quiet=quiet)
        tell_imported(job, quiet=quiet)
        _tell_of_others(output, job, quiet=quiet)
        results: RunReport | None = None
        if asked.merged is not None:
            # Of a run that only has to be handed over, both tables may be there.
            require_free_layout(asked.merged, force=force, results=job.paths.results if exists(job.paths.run) else None)
        progress = run_here(settings, job, devices=devices, quiet=quiet, shows_progress=asked.shows_progress)
        if exists(job.paths.run):
            if asked.merged is not None:
                put_classic_files(job.paths.results, asked.merged, force=force)
            if asked.failures_of is not None:
                put_failures(job.paths.results, output, asked.failures_of, force=force)
            embeddings = output / EMBEDDINGS_FOLDER if keep_embeddings else None
            copy_results(job, output, force=force, embeddings=embeddings, before_replacing=lock.check)
            results = read_report(output / COMMIT_MARK)
            remove_work(job)
        elif progress.exit_code is ExitCode.BAD_INPUT and not exists(job.paths.plan):
            # The input itself is at fault: with another one it is another job.
            remove_work(job)
    ended_well = progress.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE)
    tell_end(progress, names_job=False, quiet=quiet)
    if results is not None:
        say_summary(results, output, quiet=quiet)
    if as_json:
        print_json(one_shot_report(progress, job, output, results))
    elif ended_well:
        say(f"results are in {output}", quiet=quiet)
    return accepted(progress, incomplete_ok=incomplete_ok, quiet=quiet)


def _require_no_file_yet(output: Path, *, force: bool, prefix: str) -> None:
    """Refuse files with the names of results early; while another run has the folder, that is the error to tell."""
    if persistently(output.is_dir) and not lock_files(output) and not other_inputs(output):
        require_no_file_of_others(output, force=force, prefix=prefix)


def _tell_of_others(output: Path, job: Job, *, quiet: bool) -> None:
    if names := other_inputs(output, job):
        say(
            f"warning: {output / WORK_FOLDER} keeps the work of another, unfinished command, on {', '.join(names)}",
            quiet=quiet,
        )
