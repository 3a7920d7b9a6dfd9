"""`virnucpro top`."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.messages import print_json
from virnucpro_tasks.cli.options import (
    MOST_SECONDS_BETWEEN_LOOKS,
    NumberRange,
    deployment_options,
    json_option,
    settings_of,
)
from virnucpro_tasks.cli.top_screen import screen
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.monitoring.observer import Observer
from virnucpro_tasks.monitoring.values import as_values

TO_TOP, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
OTHER_SCREEN, OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
USUAL_LINES = 24
UNCUT = 10_000
"""The width of what no terminal shows: longer than any line."""


@click.command("top")
@click.option(
    "--every",
    "every_seconds",
    type=NumberRange(min=0.5, max=MOST_SECONDS_BETWEEN_LOOKS),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks.",
)
@click.option("--once", is_flag=True, help="Look once and print it; so it does where no terminal shows it.")
@deployment_options
@json_option
@click.pass_context
def command(context: click.Context, /, *, every_seconds: float, once: bool, as_json: bool, **flags: Any) -> None:
    """Show jobs and workers live: progress, time left, who is at what, and what needs you. Ctrl-C ends it."""
    settings = settings_of(context, **flags)
    require_store(settings.store)
    observer = Observer(app_of(settings), settings)
    if as_json:
        print_json(as_values(observer.look()))
        return
    if once or not sys.stdout.isatty():
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNCUT
        for line in screen(observer.look(), width=width, height=None):
            click.echo(line)
        return
    sys.stdout.write(OTHER_SCREEN)
    try:
        while True:
            look = observer.look()
            size = shutil.get_terminal_size((80, USUAL_LINES))
            # The last column stays free: some terminals wrap a line that fills it.
            lines = screen(look, width=size.columns - 1, height=size.lines - 1)
            sys.stdout.write(TO_TOP + "".join(f"{line}{CLEAR_LINE}\r\n" for line in lines) + CLEAR_BELOW)
            sys.stdout.flush()
            time.sleep(every_seconds)
    except KeyboardInterrupt as interrupt:
        # Ctrl-C has no name, and is how one leaves it; a signal has.
        if interrupt.args:
            raise
    finally:
        sys.stdout.write(OWN_SCREEN)
        sys.stdout.flush()
