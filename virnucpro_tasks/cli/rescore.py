"""`virnucpro rescore`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from virnucpro_tasks.cli.job_end import tell_end
from virnucpro_tasks.cli.messages import accepted, bundle_line, hashing_note, print_json, require_chunk_length, say
from virnucpro_tasks.cli.options import (
    PathType,
    bundle_option,
    json_option,
    mismatch_option,
    outputs_of,
    settings_of,
    table_options,
)
from virnucpro_tasks.cli.preflight import check_place
from virnucpro_tasks.cli.results import copy_results, require_free, require_no_file_of_others
from virnucpro_tasks.cli.summary import say_summary
from virnucpro_tasks.errors import BundleError, InputError, OutputError, counted
from virnucpro_tasks.jobs.original_rules import by_original_rules
from virnucpro_tasks.jobs.progress import job_progress, read_report
from virnucpro_tasks.jobs.readers import results_mode
from virnucpro_tasks.jobs.rescored import RescoredWork
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.models.bundle import ENCODER_FILES, Bundle
from virnucpro_tasks.models.card import encoder_weights
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import DIALECTS
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import is_same_file, remove_tree, temporary_beside
from virnucpro_tasks.system.files import decode, read_object
from virnucpro_tasks.system.run_lock import own_folder

if TYPE_CHECKING:
    from virnucpro_tasks.rescoring import KeptVectors, KnownScores

VECTORS, SCORES = "vectors", "scores"
ONLY_OPEN_FRAMES = (
    "the scores are of open frames of one strand: segments and reverse complements, which may have counted in that "
    "work, do not count here"
)


class EarlierParameters(msgspec.Struct, frozen=True):
    """The parameters in run.json of the work that is scored again, as far as they say what its frames are."""

    chunk_length: int | None = None
    min_length: int | None = None
    coverage: Coverage = Coverage.FRAMES
    both_strands: bool = False
    compat: Compat = Compat.NONE

    def of_scores(self) -> EarlierParameters:
        """Those of its prediction_results.txt, which holds the open frames of the records as they are alone."""
        return msgspec.structs.replace(self, coverage=Coverage.FRAMES, both_strands=False)


class EarlierReport(msgspec.Struct, frozen=True):
    """The entries of its run.json that are used."""

    parameters: EarlierParameters = EarlierParameters()
    warnings: list[str] = []


@click.command("rescore")
@click.argument("work", type=PathType(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, type=PathType(path_type=Path))
@click.option("-o", "--output", type=PathType(path_type=Path), required=True, help="Folder for the results.")
@bundle_option
@click.option(
    "--computed-with",
    metavar="FOLDER",
    help="Bundle with which the vectors were computed, if --bundle is another one with the same encoders.",
)
@click.option(
    "-e",
    "--expected-length",
    "chunk_length",
    type=click.IntRange(min=6),
    help="Chunk length in bases; default: that of WORK.",
)
@mismatch_option
@click.option("--min-length", type=click.IntRange(min=0), help="Shorter records are not scored; default: as in WORK.")
@click.option(
    "--coverage",
    type=click.Choice([coverage.value for coverage in Coverage]),
    help="What stands for a chunk without an open frame; default: as in WORK.",
)
@click.option("--shard-tokens", type=click.IntRange(min=1), help="ESM-2 tokens in one shard.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Format of the two legacy result files.")
@click.option("--incomplete-ok", is_flag=True, help="Exit with 0, not 6, if records are invalid or quarantined.")
@table_options
@click.option("-f", "--force", is_flag=True, help="Replace result files in --output.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    work: Path,
    inputs: tuple[Path, ...],
    *,
    output: Path,
    computed_with: str | None,
    chunk_length: int | None,
    allow_mismatch: bool,
    min_length: int | None,
    coverage: str | None,
    incomplete_ok: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Score and tabulate INPUTS again from WORK, without computing vectors: another head, dialect, or cutoffs.

    WORK is a folder of results with kept vectors (--keep-embeddings), or prediction_results.txt of any of the tools, or
    a folder with that.
    """
    outputs = outputs_of(flags)
    require_free(output, force=force)
    check_place(output)
    require_no_file_of_others(output, force=force, prefix=outputs.prefix)
    if work.is_dir() and output.exists() and work.samefile(output):
        raise OutputError(f"{output} is the work that is scored again", hint="choose another folder")
    settings = settings_of(context, **flags)
    bundle = find_bundle(settings.bundle, announce=hashing_note(quiet=quiet))
    say(bundle_line(bundle), quiet=quiet)
    report = _report_of(work)
    chunk_length = chunk_length or report.parameters.chunk_length
    require_chunk_length(chunk_length, bundle, allow_mismatch=allow_mismatch, quiet=quiet)
    source, rescored, precision = _source(work, report, bundle, computed_with)
    # Imported here: they load pyarrow.
    from virnucpro_tasks.rescoring import KnownScores, rescore

    parameters = report.parameters.of_scores() if source.is_scored else report.parameters
    if parameters != report.parameters:
        rescored = msgspec.structs.replace(rescored, warnings=(*rescored.warnings, ONLY_OPEN_FRAMES))
    # Asked here for its words: the job would name an option that nobody has typed.
    by_original_rules(
        settings,
        parameters.compat,
        min_length=min_length,
        coverage=Coverage(coverage) if coverage else parameters.coverage,
        both_strands=parameters.both_strands,
        asked_by=f", by which {work} was computed,",
    )
    settings = replace(settings, precision=precision or settings.precision)
    with ExitStack() as stack:
        mode = results_mode([*inputs, work], output)
        lock = stack.enter_context(own_folder(output, say=lambda line: say(line, quiet=quiet), mode=mode))
        # Its name tells who made it, so that what a killed command leaves is removed by the next.
        store = temporary_beside(output / "rescored")
        stack.callback(remove_tree, store)
        job = submit(
            replace(settings, store=store),
            inputs,
            chunk_length=chunk_length,
            min_length=parameters.min_length if min_length is None else min_length,
            strict=False,
            keep_embeddings=False,
            priority=0,
            coverage=Coverage(coverage) if coverage else parameters.coverage,
            both_strands=parameters.both_strands,
            compat=parameters.compat,
            outputs=outputs,
            rescored=rescored,
        )
        rescore(job, source, processes=settings.finishing_processes or 1)
        if isinstance(source, KnownScores):
            _require_some(source, work, quiet=quiet)
        progress = job_progress(job)
        copy_results(job, output, force=force, before_replacing=lock.check)
    tell_end(progress, names_job=False, quiet=quiet)
    say_summary(read_report(output / COMMIT_MARK), output, quiet=quiet)
    if as_json:
        print_json({"output": str(output.absolute()), "exit_code": int(progress.exit_code), "rescored": rescored.holds})
    else:
        say(f"results are in {output}", quiet=quiet)
    return accepted(progress, incomplete_ok=incomplete_ok, quiet=quiet)


def _report_of(work: Path) -> EarlierReport:
    """Read run.json of the work; an empty report for work of another tool. Raises DamagedError."""
    mark = (work if work.is_dir() else work.parent) / COMMIT_MARK
    return decode(read_object(mark), EarlierReport, path=mark) if mark.is_file() else EarlierReport()


def _source(
    work: Path, report: EarlierReport, bundle: Bundle, computed_with: str | None
) -> tuple[KeptVectors | KnownScores, RescoredWork, str | None]:
    """Return the source of shards, its part of job.json, and the precision of its vectors. Raises InputError."""
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.rescoring import KeptVectors

    try:
        if work.is_dir() and any((work / "embeddings").glob("*.safetensors")):
            vectors = KeptVectors.of(work / "embeddings")
            _require_encoders(vectors, bundle, computed_with)
            if len(vectors.precisions) > 1:
                raise InputError("its vectors are of several jobs", file=str(vectors.folder))
            warnings = tuple(text for text in report.warnings if text.startswith("mixed precision"))
            return vectors, RescoredWork(str(work), VECTORS, warnings), vectors.precisions.pop()
        if computed_with is not None:
            raise InputError("it holds no kept vectors, which --computed-with is for", file=str(work))
        return _known_scores(work)
    except OSError as error:
        cause = cause_of(error, work)
        raise InputError(cause.words, file=str(work), hint=cause.advice) from None


def _known_scores(work: Path) -> tuple[KnownScores, RescoredWork, None]:
    from virnucpro_tasks.earlier.score_files import is_call_file, is_score_file, read_calls, read_frame_scores
    from virnucpro_tasks.rescoring import KnownScores

    if not work.exists():
        raise InputError("No such file or directory", file=str(work), hint="check the path")
    if not work.is_dir() and is_call_file(work):
        raise InputError(
            "it has a call for each chunk, but no scores of frames", file=str(work), hint="name prediction_results.txt"
        )
    files = [*sorted(work.glob("*")), *sorted(work.glob("*_merged/*"))] if work.is_dir() else [work]
    found: list[Path] = []
    for file in files:
        # With --layout the tables are in two places.
        if file.is_file() and is_score_file(file) and not any(is_same_file(file, other) for other in found):
            found.append(file)
    if len(found) != 1:
        columns = "Sequence_ID, score1 and score2"
        what = f"it has no columns {columns}"
        if work.is_dir():
            number = f"{len(found)} different files" if found else "no file"
            what = f"it has {number} of scores (columns {columns})"
        raise InputError(
            what,
            file=str(work),
            hint="name a file as prediction_results.txt; vectors of an earlier tool are for 'predict --import'",
        )
    scores = read_frame_scores(found[0])
    warnings = [
        f"the scores are those of {found[0]}: that they are of these sequences and of the head of the bundle "
        f"is not proved"
    ]
    if scores.mislabelled:
        warnings.append(
            f"{scores.mislabelled:,} of {counted(len(scores), 'frame')} in {found[0]} are labelled otherwise than by "
            f"their scores"
        )
    for file in sorted(found[0].parent.iterdir()):
        if file.is_file() and is_call_file(file) and (others := scores.other_calls(calls := read_calls(file))):
            warnings.append(
                f"{others:,} of {counted(len(calls), 'chunk')} in {file} are called otherwise by these scores"
            )
    return KnownScores(scores), RescoredWork(str(found[0]), SCORES, tuple(warnings)), None


def _require_encoders(vectors: KeptVectors, bundle: Bundle, computed_with: str | None) -> None:
    """Raise BundleError unless the vectors were computed with the encoders of `bundle`."""
    if vectors.bundles == {bundle.digest}:
        return
    digest = ", ".join(sorted(found[:12] for found in vectors.bundles))
    if computed_with is None:
        raise BundleError(
            f"the vectors were computed with another bundle, {digest}",
            path=bundle.path,
            hint="if that has the same encoders, name it with --computed-with",
        )
    before = find_bundle(computed_with)
    if vectors.bundles != {before.digest}:
        raise BundleError(f"the vectors were computed with another bundle, {digest}", path=before.path)
    same = all(before.description.sha256[name] == bundle.description.sha256[name] for name in ENCODER_FILES)
    if not same and encoder_weights(before.path) != encoder_weights(bundle.path):
        raise BundleError(
            f"its encoders are others than those of {before.path}", path=bundle.path, hint="compute the vectors anew"
        )


def _require_some(source: KnownScores, work: Path, *, quiet: bool) -> None:
    """Raise InputError if no score was used; tell how many are of no frame."""
    if not source.used and len(source.scores):
        raise InputError(
            "none of its frames is one of the inputs",
            file=str(work),
            hint="are these the inputs, and is --expected-length right?",
        )
    if unused := len(source.scores) - source.used:
        say(f"warning: {counted(unused, 'score')} of {work} are of no frame of the inputs", quiet=quiet)
