"""Options that several commands share, and the settings they make."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.queue import redis_checks
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.settings import ATTENTION_BACKENDS, DIALECTS, PRECISIONS, Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")


def stacked(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


store_option = click.option("--store", type=click.Path(path_type=Path), help="Folder of all jobs.")
broker_option = click.option("--broker-url", metavar="URL", help="Redis, as Celery writes it.")
bundle_option = click.option("--bundle", metavar="FOLDER", help="Model bundle, or 'demo'.")
deployment_options = stacked(store_option, broker_option)

engine_options = stacked(
    click.option("--attention", type=click.Choice(ATTENTION_BACKENDS), help="Attention backend."),
    click.option("--token-budget", type=click.IntRange(min=1), help="Tokens in one pack."),
    click.option("--cpu-threads", type=click.IntRange(min=1), help="Threads of a CPU worker."),
)

job_options = stacked(
    click.argument("inputs", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), required=False),
    click.option(
        "-i",
        "--input",
        "more_inputs",
        multiple=True,
        type=click.Path(path_type=Path, allow_dash=True),
        help="Input file; may be given several times; '-' is standard input.",
    ),
    bundle_option,
    click.option(
        "-e",
        "--expected-length",
        "chunk_length",
        type=click.IntRange(min=6),
        help="Chunk length in bases; default: what the bundle's head was trained on.",
    ),
    click.option("--min-length", type=click.IntRange(min=0), help="Shorter records are not scored.  [default: 60]"),
    click.option("--precision", type=click.Choice(PRECISIONS), help="Default: the bundle's own."),
    click.option("--dialect", type=click.Choice(DIALECTS), help="Format of the two classic result files."),
    click.option("--strict", is_flag=True, help="A bad record fails the job instead of being listed."),
    click.option("--keep-embeddings", is_flag=True, help="Keep the pooled vectors in the store."),
    click.option("--shard-tokens", type=click.IntRange(min=1), help="ESM-2 tokens in one shard."),
)


def settings_of(context: click.Context, **flags: Any) -> Settings:
    """Settings from the file named by the global --config, the environment, and the flags that were given."""
    return load_settings(file=context.find_root().params.get("config"), flags=flags)


def app_of(settings: Settings) -> VirnucproApp:
    """The Celery application of a client."""
    return make_app(settings)


def check_redis(app: VirnucproApp) -> None:
    """`redis_checks.check_redis`, with its warning printed."""
    if warning := redis_checks.check_redis(app):
        say(f"warning: {warning}")


def describe_bundle_line(bundle: Bundle) -> str:
    """One line that says which models are used."""
    description = bundle.description
    return f"{description.label}: {description.nucleotide_model} + {description.protein_model}, {description.head}"


def warn_of_chunk_length(chunk_length: int | None, bundle: Bundle, *, quiet: bool = False) -> None:
    """Say so if the chunks are not as long as those that the head was trained on; the original allows it too."""
    trained = bundle.description.chunk_length
    if bundle.description.has_head and chunk_length not in (None, trained):
        say(f"warning: chunks of {chunk_length} bases, but the head was trained on {trained}", quiet=quiet)


def print_json(content: Any) -> None:
    """Print `content` as indented JSON on standard output."""
    click.echo(json.dumps(content, indent=2))


def say(text: str, *, quiet: bool = False) -> None:
    """A message for a person: standard error."""
    if not quiet:
        click.echo(text, err=True)
