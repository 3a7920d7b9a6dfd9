"""Printing: JSON on standard output, messages for a person on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from virnucpro_tasks.cli.log_file import has_log, log
from virnucpro_tasks.cli.terminal_text import fitted
from virnucpro_tasks.errors import ExitCode, SettingsError, printable
from virnucpro_tasks.jobs.staging import STANDARD_INPUT

if TYPE_CHECKING:
    from virnucpro_tasks.jobs.job import Job
    from virnucpro_tasks.jobs.progress import Progress
    from virnucpro_tasks.models.bundle import Bundle


def print_json(content: Any) -> None:
    """Print `content` as indented JSON on standard output."""
    click.echo(json.dumps(content, indent=2))


def print_text(text: str, *, hanging: int = 0) -> None:
    """Print a text for a person on standard output; on a terminal broken between words, the rest of a line indented."""
    click.echo(fitted(text, sys.stdout, hanging=hanging))


class RedrawnLine(Protocol):
    """A line that is redrawn in place on the terminal."""

    def clear(self) -> None: ...

    def draw(self) -> None: ...


_redrawn: list[RedrawnLine] = []
"""The line at the cursor of the terminal, if there is one: a process has one standard error."""


@contextmanager
def printing_above(line: RedrawnLine) -> Iterator[None]:
    """While the block runs, messages are printed above `line`."""
    _redrawn.append(line)
    try:
        yield
    finally:
        _redrawn.remove(line)


def say(text: str, *, quiet: bool = False, hanging: int = 0) -> None:
    """Print a message for a person on standard error, unless `quiet` or the global --quiet is given; on a terminal as
    `print_text` does. It is logged in any case.
    """
    log(text, level="WARNING" if text.startswith("warning: ") else "INFO")
    if quiet or is_silent():
        return
    for line in _redrawn:
        line.clear()
    click.echo(fitted(text, sys.stderr, hanging=hanging), err=True)
    for line in _redrawn:
        line.draw()


def is_silent() -> bool:
    """Whether the global --quiet was given."""
    return _is_given("silent")


def is_verbose() -> bool:
    """Whether the global --verbose was given."""
    return _is_given("verbose")


def _is_given(flag: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get(flag))


def wants_details() -> bool:
    """Whether somebody reads what `tell_detail` tells."""
    return is_verbose() or has_log()


def tell_detail(line: str) -> None:
    """Log a line of a worker's log; with the global --verbose it is also printed on standard error."""
    log(line, level="DEBUG")
    if is_verbose():
        for redrawn in _redrawn:
            redrawn.clear()
        click.echo(printable(line), err=True)
        for redrawn in _redrawn:
            redrawn.draw()


def say_if_terminal_is_read(inputs: Sequence[Path], *, quiet: bool = False) -> None:
    """Say what the command waits for if `-` is among the inputs and standard input is a terminal."""
    if STANDARD_INPUT in inputs and sys.stdin is not None and sys.stdin.isatty():
        say("FASTA or FASTQ is read from this terminal: paste it, and end it with Ctrl-D on a new line", quiet=quiet)


def accepted(progress: Progress, *, incomplete_ok: bool, quiet: bool = False) -> ExitCode:
    """The exit code of a command whose job has ended: 0 instead of 6 with `incomplete_ok`, which a warning tells."""
    return accepted_code(progress.exit_code, incomplete_ok=incomplete_ok, quiet=quiet)


def accepted_code(code: ExitCode, *, incomplete_ok: bool, quiet: bool) -> ExitCode:
    """`code`, or 0 instead of 6 with `incomplete_ok`, which a warning tells."""
    if not incomplete_ok or code is not ExitCode.INCOMPLETE:
        return code
    say("warning: some records are invalid or quarantined; the exit code is 0 as --incomplete-ok asks", quiet=quiet)
    return ExitCode.OK


def hashing_note(*, quiet: bool = False) -> Callable[[int], None]:
    """A function that says how many bytes of a large bundle are being hashed, for `find_bundle` to call."""
    return lambda size: say(
        f"checking the files of the bundle, {size / 1e9:.1f} GB, once until they change", quiet=quiet
    )


def warn_of_empty_inputs(job: Job, *, quiet: bool = False) -> None:
    """Name the inputs that hold no record; the others, if there are any, are scored."""
    if job.is_empty:
        say("warning: no input holds a record: the tables will have only their header", quiet=quiet)
        return
    for entry in job.spec.inputs:
        if entry.empty:
            say(f"warning: {entry.name} is empty: the other inputs are scored without it", quiet=quiet)


def bundle_line(bundle: Bundle) -> str:
    """One line that names the models of a bundle."""
    description = bundle.description
    return f"{description.label}: {description.nucleotide_model} + {description.protein_model}, {description.head}"


def require_chunk_length(
    chunk_length: int | None, bundle: Bundle, *, allow_mismatch: bool, quiet: bool = False
) -> None:
    """Raise SettingsError for chunks of another length than the head was trained on, or warn if that is allowed."""
    trained = bundle.description.chunk_length
    if not bundle.description.has_head or chunk_length in (None, trained):
        return
    if not allow_mismatch:
        raise SettingsError(
            f"chunks of {chunk_length} bases, but the head was trained on {trained}: its scores would mean little",
            hint=f"leave --expected-length out, give a bundle for {chunk_length}, or --allow-mismatch",
        )
    say(f"warning: chunks of {chunk_length} bases, but the head was trained on {trained}", quiet=quiet)
