"""Prints the cost of a job that is not run: `--dry-run` of `predict` and `submit`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path

import click

from virnucpro_tasks.cli.messages import print_json
from virnucpro_tasks.errors import EmptyInputError, InputError, counted
from virnucpro_tasks.jobs.submit import named_inputs, require_coverage
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.record import DEFAULT_MIN_LENGTH

LABEL_CHARACTERS = 10


def tell_cost(
    inputs: Sequence[Path | ReadInput],
    bundle: Bundle,
    *,
    chunk_length: int | None,
    min_length: int | None,
    strict: bool,
    allow_empty: bool,
    coverage: Coverage,
    both_strands: bool,
    compat: Compat,
    as_json: bool,
) -> None:
    """Read `inputs` and print what a job over them would compute, on standard output; nothing is written.

    Raises InputError for inputs that cannot be used, or read twice; SettingsError as `require_coverage` does.
    """
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.jobs.cost import Cost, cost_of
    from virnucpro_tasks.reads.tables import Status

    sources = named_inputs(inputs, compat=compat)
    for source in sources:
        if not source.path.is_file():
            raise InputError(
                "it can be read only once, and a dry run would be that", file=source.name, hint="name a file"
            )
    require_coverage(bundle, coverage)
    cost = Cost()
    with suppress(EmptyInputError) if allow_empty else nullcontext():
        cost = cost_of(
            sources,
            chunk_length=chunk_length or bundle.description.chunk_length,
            min_length=DEFAULT_MIN_LENGTH if min_length is None else min_length,
            strict=strict,
        )
    if as_json:
        print_json(asdict(cost) | {"coverage": coverage.value, "both_strands": both_strands})
        return
    chunks = sum(cost.chunks.values())
    reverse_frames, reverse_tokens = cost.of_reverse(coverage)
    by_one_strand = cost.tokens + (cost.segment_tokens if coverage is Coverage.SEGMENTS else 0)
    offer = "" if coverage is Coverage.SEGMENTS else "; only with --coverage segments"
    strands_offer = "" if both_strands else "; only with --both-strands"
    facts = {
        "records": f"{cost.records:,}, {counted(cost.bases, 'base')}",
        "chunks": f"{chunks:,}, {cost.chunks.get(Status.SCORED, 0):,} of them with an open frame",
        "tokens": f"{cost.tokens:,} in {counted(cost.frames, 'open frame')}",
        "segments": f"{_more(cost.segment_tokens, cost.tokens)} in {counted(cost.segments, 'chunk')}{offer}",
        "strands": f"{_more(reverse_tokens, by_one_strand)} in {counted(reverse_frames, 'frame')}{strands_offer}",
    }
    for label, text in facts.items():
        click.echo(f"{label:<{LABEL_CHARACTERS}}{text}")


def _more(tokens: int, others: int) -> str:
    """A number of tokens, and how much it adds to the others."""
    return counted(tokens, "token") + (f" ({tokens / others:.0%} more)" if others else "")
