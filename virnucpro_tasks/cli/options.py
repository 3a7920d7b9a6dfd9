"""Options that several commands share, and the settings that result from them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.jobs.output_options import DEFAULT_PRESET, PRESETS, OutputOptions, output_options
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import (
    ATTENTION_BACKENDS,
    DIALECTS,
    LOG_FORMATS,
    MOST,
    PRECISIONS,
    Settings,
    load_settings,
)
from virnucpro_tasks.settings_file import EARLIER_COMMAND, SettingsFile
from virnucpro_tasks.system.devices import AUTO

SETTINGS_FILE = "virnucpro.settings_file"
"""The key of the settings file that was read, in what click keeps for a command line."""

MOST_SECONDS_BETWEEN_LOOKS = 3_600
"""The longest time between two looks at a deployment, for commands that go on looking."""

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")


def stacked(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order in which --help lists them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class WholeHelpGroup(click.Group):
    """Lists its commands with the whole first sentence of their help, which click cuts off at the width of a line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None:
                sentence = (command.help or "").strip().partition("\n\n")[0]
                rows.append((name, " ".join(sentence.split())))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


STANDARD_OUTPUT = Path("-")
"""The value of --output that names standard output, for commands with one result."""


class PathType(click.Path):
    """A path that is not empty: pathlib takes an empty one, as of an unset variable, for the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty: is a variable not set?", param, ctx)
        return super().convert(value, param, ctx)


class NumberRange(click.FloatRange):
    """A number in a range. NaN is in none, but click lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class DurationType(click.ParamType):
    """A time of more than 0: seconds, or a number followed by s, m, h or d; as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(value.strip())
        seconds = float(found["number"]) * UNIT_SECONDS[found["unit"]] if found else 0.0
        if not 0 < seconds <= MOST:
            self.fail(f"{value!r} is no time of more than 0: write seconds, or 90s, 10m, 2h, 1d", param, ctx)
        return seconds


class AgeType(DurationType):
    """A time with its unit: whoever leaves it out may mean days, and what is older is deleted."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, str) and value.strip()[-1:].isdigit():
            self.fail(f"{value!r} has no unit: write {value.strip()}d for days, or h, m, s", param, ctx)
        return super().convert(value, param, ctx)


UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[smhd]?)")

timeout_option = click.option(
    "--timeout",
    "timeout_seconds",
    type=DurationType(),
    metavar="TIME",
    help="Wait no longer than so many seconds, or 10m, 2h, 1d; the job goes on, and the exit code is 8.",
)
store_option = click.option("--store", type=click.Path(path_type=Path), help="The store: the folder of all jobs.")
broker_option = click.option("--broker-url", metavar="URL", help="URL of Redis, as Celery writes it.")
log_format_option = click.option(
    "--log-format", type=click.Choice(LOG_FORMATS), help="Log lines for people, or one JSON object a line."
)
bundle_option = click.option("--bundle", metavar="FOLDER", help="Model bundle, or 'demo'.")
deployment_options = stacked(store_option, broker_option)

coverage_option = click.option(
    "--coverage",
    type=click.Choice([coverage.value for coverage in Coverage]),
    default=Coverage.FRAMES.value,
    show_default=True,
    callback=lambda context, parameter, value: Coverage(value),
    help="What stands for a chunk without an open frame: nothing, or its longest segment without a stop codon.",
)

both_strands_option = click.option(
    "--both-strands",
    is_flag=True,
    help="Score records by the chunks of their reverse complements too, so that the strand makes no difference.",
)

compat_option = click.option(
    "--compat",
    type=click.Choice([compat.value for compat in Compat]),
    default=Compat.NONE.value,
    show_default=True,
    callback=lambda context, parameter, value: Compat(value),
    help="Rules by which records are read, cut and computed: ours, or those of the original tool, in FP32.",
)

devices_option = click.option(
    "-d",
    "--device",
    "--devices",
    "devices",
    default=AUTO,
    show_default=True,
    help="auto, cpu, gpu (all GPUs), or a list: 0,1 or gpu:0,cpu.",
)
threads_option = click.option(
    "-t",
    "--threads",
    type=click.IntRange(min=1),
    help="Cores that everything started here uses together; default: all allowed.",
)

engine_options = stacked(
    threads_option,
    click.option("--attention", type=click.Choice(ATTENTION_BACKENDS), help="Attention backend."),
    click.option("--token-budget", type=click.IntRange(min=1), help="Tokens in one pack; default: measured."),
    click.option("--cpu-threads", type=click.IntRange(min=1), help="Threads of a CPU worker."),
)


def cutoff_options(*length_flags: str) -> Callable[[F], F]:
    """The options that choose the sequences of virus.fasta.gz; the least length is called `length_flags`."""
    return stacked(
        click.option(
            "--preset",
            type=click.Choice(list(PRESETS)),
            help="Cutoffs of the sequences in virus.fasta.gz; the options that follow replace one of them.",
        ),
        click.option("--min-score", type=NumberRange(0, 1), help="Least score of these sequences."),
        click.option(
            *length_flags,
            "min_virus_length",
            type=click.IntRange(min=0),
            help="Least length of these sequences, in bases.",
        ),
        click.option(
            "--min-scored-fraction", type=NumberRange(0, 1), help="Least share of their bases in scored chunks."
        ),
        click.option(
            "--max-fdr",
            type=NumberRange(0, 1),
            help="Highest false-discovery rate of these sequences; needs a head with calibrated scores of records.",
        ),
    )


mismatch_option = click.option(
    "--allow-mismatch",
    is_flag=True,
    help="Compute with another chunk length than the head was trained on; a warning stays with the results.",
)

table_options = stacked(
    click.option("--prefix", help="Begins the names of the result files that the existing tools do not have."),
    click.option("--no-report", is_flag=True, help="Write no report.html."),
    cutoff_options("--min-virus-length"),
    click.option(
        "--prior",
        type=NumberRange(0, 1, min_open=True, max_open=True),
        help="Share of viruses among the records, for false-discovery rates; default: estimated from the scores.",
    ),
)

job_options = stacked(
    click.argument("inputs", nargs=-1, type=PathType(path_type=Path, allow_dash=True), required=False),
    click.option(
        "-i",
        "--input",
        "more_inputs",
        multiple=True,
        type=PathType(path_type=Path, allow_dash=True),
        help="Input file, may be given again; '-' is standard input.",
    ),
    click.option(
        "--samples",
        "sheet",
        type=PathType(path_type=Path, allow_dash=True),
        help="Sample sheet instead of INPUTS: a table with the columns sample, file and maybe file2 (second mates).",
    ),
    bundle_option,
    click.option(
        "-e",
        "--expected-length",
        "chunk_length",
        type=click.IntRange(min=6),
        help="Chunk length in bases; default: what the head was trained on.",
    ),
    mismatch_option,
    click.option("--min-length", type=click.IntRange(min=0), help="Shorter records are not scored.  [default: 60]"),
    click.option(
        "--precision", type=click.Choice(PRECISIONS), help="Precision of the models; default: that of the bundle."
    ),
    coverage_option,
    both_strands_option,
    compat_option,
    click.option("--dialect", type=click.Choice(DIALECTS), help="Format of the two legacy result files."),
    click.option("--strict", is_flag=True, help="Fail the job at a bad record, instead of listing it."),
    click.option("--allow-empty", is_flag=True, help="Give empty tables, not an error, if no input holds a record."),
    click.option("--incomplete-ok", is_flag=True, help="Exit with 0, not 6, if records are invalid or quarantined."),
    click.option(
        "--keep-embeddings",
        is_flag=True,
        help="Keep the vectors of all sequences; 'predict' puts them into OUTPUT/embeddings.",
    ),
    click.option("--shard-tokens", type=click.IntRange(min=1), help="ESM-2 tokens in one shard."),
    click.option("--dry-run", is_flag=True, help="Print what would be computed, and compute and write nothing."),
    table_options,
)


def outputs_of(flags: dict[str, Any]) -> OutputOptions:
    """The output options, which are taken out of the `flags` of `table_options`. Raises SettingsError."""
    return output_options(
        prefix=flags.pop("prefix") or "",
        report=not flags.pop("no_report"),
        preset=flags.pop("preset") or DEFAULT_PRESET,
        min_score=flags.pop("min_score"),
        min_length=flags.pop("min_virus_length"),
        min_scored_fraction=flags.pop("min_scored_fraction"),
        max_fdr=flags.pop("max_fdr"),
        prior=flags.pop("prior"),
    )


def settings_of(context: click.Context, **flags: Any) -> Settings:
    """Settings from the file of the global --config, the environment, and the flags that were given.

    Says, unless the command is quiet, which keys of the file have no effect. With the global --verbose all is logged.
    """
    root = context.find_root()
    file: SettingsFile | None = context.meta.get(SETTINGS_FILE)
    lines: list[str] = []
    if file is not None:
        lines = file.warnings + (file.left_to_predict if root.invoked_subcommand != EARLIER_COMMAND else [])
    for line in lines:
        say(f"warning: {line}", quiet=bool(context.params.get("quiet")))
    level = {"log_level": "DEBUG"} if root.params.get("verbose") else {}
    return load_settings(file=file or root.params.get("config"), flags=level | flags)
