"""The options of `predict` of earlier versions: each with its old spellings, and what it means or why it has no effect.

All are accepted. `predict` says once what those have turned into that have no effect any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from textwrap import fill
from typing import Any, TypeVar

import click

from virnucpro_tasks.cli.earlier_exit_codes import exit_codes_option
from virnucpro_tasks.cli.earlier_layout import LAYOUTS
from virnucpro_tasks.cli.options import PathType

F = TypeVar("F", bound=Callable[..., Any])

MODEL_TYPES = ("300", "500", "custom")
_INTEGER, _FLAG = click.INT, click.BOOL


@dataclass(frozen=True, slots=True)
class EarlierOption:
    """An option of earlier versions: its spellings, the type of its value, and its help.

    One that has no effect any more says `now` what is so without it.
    """

    flags: tuple[str, ...]
    kind: click.ParamType
    help: str = ""
    now: str = ""
    no_flag: str = ""

    @property
    def name(self) -> str:
        """Its name among the arguments of the command."""
        return "earlier_" + self.flags[-1].lstrip("-").replace("-", "_")


EARLIER_OPTIONS = (
    EarlierOption(
        ("-m", "--model-type"),
        click.Choice(MODEL_TYPES),
        "The bundle that the setting bundle_300 or bundle_500 names, or the --model-path.",
    ),
    EarlierOption(
        ("-p", "--model-path"),
        PathType(path_type=Path, exists=True),
        "A bundle, or a classifier such as 500_model.pth, to be used with the models of the bundle that is set.",
    ),
    *(
        EarlierOption(
            (f"--classifier-{length}",),
            PathType(path_type=Path),
            f"What --model-path is by default for --model-type {types}: prediction.models.{length} of earlier files.",
        )
        for length, types in ((300, "300"), (500, "500, and without a type"))
    ),
    EarlierOption(("--gpus",), click.STRING, "GPUs as a list, such as 2,3; --device then counts among them."),
    EarlierOption(("-k", "--keep-intermediate"), _FLAG, "Keep vectors, as --keep-embeddings does."),
    EarlierOption(("--merge-threads",), click.IntRange(min=1), "Cores, as --threads says."),
    EarlierOption(("--resume",), _FLAG, "Go on from what is there, also after --force; a finished run is left alone."),
    EarlierOption(("--force-resume",), _FLAG, "Forget unfinished work in --output, and start over."),
    EarlierOption(("--no-progress",), _FLAG, "Show no progress."),
    EarlierOption(("--verbose",), _FLAG, "Print messages and progress even if --quiet is given."),
    EarlierOption(("--v1-attention",), _FLAG, "Ordinary attention, as --attention sdpa."),
    EarlierOption(("--expandable-segments",), _FLAG, "Let torch grow its segments of GPU memory."),
    EarlierOption(
        ("--layout",),
        click.Choice(LAYOUTS),
        "Put the two classic tables also where the earlier package ({output}/{stem}_merged/) or the original (beside "
        "the input) has them.",
    ),
    EarlierOption(("-b", "--batch-size"), _INTEGER, now="the classifier takes whole shards"),
    EarlierOption(("-w", "--num-workers"), _INTEGER, now="the classifier needs no process to load for it"),
    EarlierOption(
        ("--dnabert-batch-size",), _INTEGER, now="packs have the size that is best on the device; see --token-budget"
    ),
    EarlierOption(
        ("--esm-batch-size",), _INTEGER, now="packs have the size that is best on the device; see --token-budget"
    ),
    EarlierOption(("--parallel",), _FLAG, now="all GPUs that are visible, or named by --devices or --gpus, are used"),
    EarlierOption(("--v1-fallback",), _FLAG, now="there is one engine, compared with the original"),
    EarlierOption(("--skip-checkpoint-validation",), _FLAG, now="reading checks every digest, which takes no time"),
    EarlierOption(("--dataloader-workers",), _INTEGER, now="input is read while devices compute"),
    EarlierOption(("--pin-memory",), _FLAG, now="the engine decides"),
    EarlierOption(("--cache-clear-interval",), _INTEGER, now="memory is given back when a device runs short of it"),
    EarlierOption(("--cuda-streams",), _FLAG, now="the engine decides", no_flag="--no-cuda-streams"),
    EarlierOption(
        ("--persistent-models",), _FLAG, now="models are always loaded once", no_flag="--no-persistent-models"
    ),
)
"""Besides those that have kept name and meaning: -o, -e, -d, -t, -f, --quiet."""


class _Option(click.Option):
    """An option that --help lists in a section of its own."""


class EarlierOptionsCommand(click.Command):
    """Lists options of earlier versions after its own, and those without effect in one paragraph."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                rows[isinstance(parameter, _Option)].append(row)
        with formatter.section("Options"):
            formatter.write_dl(rows[False])
        with formatter.section("Options of earlier versions"):
            formatter.write_dl(rows[True])
            formatter.write_paragraph()
            names = ", ".join("/".join([*option.flags, *_both(option)]) for option in EARLIER_OPTIONS if option.now)
            # Not by click, which breaks lines within the names.
            text = f"Accepted without effect: {names}."
            indent = " " * formatter.current_indent
            formatter.write(
                fill(text, formatter.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
                + "\n"
            )


def earlier_options(function: F) -> F:
    """The options of earlier versions as arguments of a command, all in one: the mapping `earlier` by their names."""

    def taking_them_apart(*arguments: Any, **values: Any) -> Any:
        given = {option.name: values.pop(option.name) for option in EARLIER_OPTIONS}
        return function(*arguments, earlier=given, **values)

    # With the name, the help and the parameters that click has noted so far.
    decorated: Any = wraps(function)(taking_them_apart)
    decorated = exit_codes_option("Exit codes of this version, or of the earlier package.", cls=_Option)(decorated)
    for option in reversed(EARLIER_OPTIONS):
        names = ["/".join([option.flags[-1], option.no_flag])] if option.no_flag else [option.flags[-1]]
        decorated = click.option(
            *option.flags[:-1],
            *names,
            option.name,
            type=None if option.kind is _FLAG else option.kind,
            is_flag=option.kind is _FLAG,
            default=None,
            hidden=bool(option.now),
            help=option.help or f"No effect any more: {option.now}.",
            cls=_Option,
        )(decorated)
    return decorated


def without_effect(earlier: Mapping[str, Any]) -> Iterator[str]:
    """A line for each option that was given and has no effect any more."""
    for option in EARLIER_OPTIONS:
        if option.now and earlier[option.name] is not None:
            flag = option.flags[-1] if earlier[option.name] is not False else option.no_flag
            yield f"{flag} has no effect any more: {option.now}"


def _both(option: EarlierOption) -> list[str]:
    return [option.no_flag] if option.no_flag else []
