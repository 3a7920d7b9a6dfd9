"""The exit codes of the earlier package, for scripts that ask for them by --exit-codes old."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import click

from virnucpro_tasks.errors import ExitCode

OWN, OLD = "own", "old"

FAILED, PARTIAL = 1, 2

EARLIER_CODES = MappingProxyType(
    {
        ExitCode.OK: 0,
        ExitCode.UNEXPECTED: FAILED,
        ExitCode.USAGE: FAILED,
        ExitCode.BAD_INPUT: FAILED,
        ExitCode.UNREACHABLE: FAILED,
        ExitCode.JOB_FAILED: FAILED,
        ExitCode.INCOMPLETE: PARTIAL,
        ExitCode.UNWRITTEN: FAILED,
        ExitCode.TIMED_OUT: FAILED,
        ExitCode.INTERRUPTED: 130,
    }
)
"""The code of the earlier package for each of ours.

3 is given by 'utils validate-checkpoints' alone, and 4, out of memory of a GPU, never: such packs are computed again in
smaller parts. An unknown option gives 2, as before. docs/outputs.md has both columns.
"""


class ExitCodes:
    """The exit codes that this run of the command line was asked for; `click` hands it on as the object of contexts."""

    def __init__(self) -> None:
        self.kind = OWN

    def of(self, code: int) -> int:
        """The number to exit with. Commands of earlier versions, and wrong use that click finds, have theirs."""
        return EARLIER_CODES[code] if self.kind == OLD and isinstance(code, ExitCode) else int(code)


def exit_codes_option(help_text: str, **attributes: Any) -> Callable[[Any], Any]:
    """The option --exit-codes: it is obeyed as soon as it is read, so that it counts for later mistakes, too."""

    def choose(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None and isinstance(context.find_root().obj, ExitCodes):
            context.find_root().obj.kind = value

    return click.option(
        "--exit-codes",
        type=click.Choice([OWN, OLD]),
        expose_value=False,
        is_eager=True,
        callback=choose,
        help=help_text,
        **attributes,
    )
