"""`virnucpro extract`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import STANDARD_OUTPUT, PathType, cutoff_options
from virnucpro_tasks.cli.preflight import require_kept, require_new_file
from virnucpro_tasks.cli.write_file import new_file
from virnucpro_tasks.errors import InputError, counted
from virnucpro_tasks.jobs.output_options import DEFAULT_PRESET, output_options


@click.command("extract")
@click.argument("results", type=PathType(path_type=Path))
@click.argument("inputs", nargs=-1, type=PathType(path_type=Path, allow_dash=True))
@click.option(
    "-o",
    "--output",
    type=PathType(path_type=Path, allow_dash=True),
    required=True,
    help="FASTA file, compressed if its name ends with .gz; '-' is standard output.",
)
@cutoff_options("--min-length", "--min-virus-length")
@click.option("-f", "--force", is_flag=True, help="Replace --output.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def command(
    *,
    results: Path,
    inputs: tuple[Path, ...],
    output: Path,
    preset: str | None,
    min_score: float | None,
    min_virus_length: int | None,
    min_scored_fraction: float | None,
    max_fdr: float | None,
    force: bool,
    quiet: bool,
) -> None:
    """Write the sequences of viral records anew, with other cutoffs, from a folder of RESULTS.

    Nothing is computed. The sequences come from the INPUTS of the job, by default those that run.json names; files are
    compared with those that were scored. RESULTS may also be the folder of a sample.
    """
    options = output_options(
        preset=preset or DEFAULT_PRESET,
        min_score=min_score,
        min_length=min_virus_length,
        min_scored_fraction=min_scored_fraction,
        max_fdr=max_fdr,
    )
    if output != STANDARD_OUTPUT:
        require_new_file(output, force=force)
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.output.extract import extract, find_inputs, open_results
    from virnucpro_tasks.output.records import SCORE_COLUMN

    opened = open_results(results)
    sources = find_inputs(opened, inputs)
    if max_fdr is not None and opened.no_rates:
        raise InputError(
            f"the results have no false-discovery rates: {opened.no_rates}", file=str(results), hint="give --min-score"
        )
    cutoffs = options.cutoffs_of(has_rates=not opened.no_rates)
    if opened.score != SCORE_COLUMN:
        say(f"{opened.table} is of an earlier version: its scores are those of the column {opened.score}", quiet=quiet)
    require_kept([*(source.path for source in sources), *opened.files], [output])
    with _fasta(output, force=force) as write:
        found = extract(opened, sources, cutoffs, write)
    place = "" if output == STANDARD_OUTPUT else f": {output}"
    level = "" if cutoffs.max_fdr is None else f" up to a false-discovery rate of {cutoffs.max_fdr:.3g}"
    say(f"{counted(found.records, 'record')}{level}, {counted(found.bases, 'base')}{place}", quiet=quiet)


@contextmanager
def _fasta(output: Path, *, force: bool) -> Iterator[Callable[[bytes], object]]:
    """A function that writes to `output`, which appears complete when the block ends."""
    if output == STANDARD_OUTPUT:
        yield sys.stdout.buffer.write
        return
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.output.bgzf import BgzfWriter

    with new_file(output, force=force) as temporary, temporary.open("wb") as file:
        if output.suffix == ".gz":
            with BgzfWriter(file) as packed:
                yield packed.write
        else:
            yield file.write
