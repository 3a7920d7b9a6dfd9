"""`virnucpro flower`."""

from __future__ import annotations

import logging
import os
import secrets
from importlib.util import find_spec
from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.listening import require_free_port
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import broker_option, log_format_option, settings_of
from virnucpro_tasks.errors import BackendError, FullBrokerError, SettingsError, install_hint
from virnucpro_tasks.queue.redis_checks import check_room
from virnucpro_tasks.system.log_lines import JSON, json_handler

MAX_TASKS = 20_000
"""Tasks that Flower keeps in memory; its default of 100,000 takes gigabytes."""

SHOWN = {
    "FLOWER_TASKS_COLUMNS": "args,state,worker,started,runtime,exception,name,uuid,received",
    "FLOWER_NATURAL_TIME": "true",
}
"""Variables that are set unless they are already: shard, owner and job of a task are its args, and times are ages."""

PURGE_SECONDS = 600
"""Workers that have been offline for so long are no longer listed."""

USER = "virnucpro"
PASSWORD_VARIABLE = "FLOWER_BASIC_AUTH"
FILE_VARIABLE = "FLOWER_CONF"

SET_BY_FLAGS = ("FLOWER_ADDRESS", "FLOWER_PORT", "FLOWER_READ_ONLY", "FLOWER_UNIX_SOCKET")
"""Variables for which this command has flags. For a service named flower, Kubernetes sets FLOWER_PORT to a URL."""


@click.command("flower")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True, help="Port to listen on.")
@click.option(
    "--read-only/--read-write",
    default=True,
    show_default=True,
    help="Whether workers can only be watched, or also be stopped.",
)
@broker_option
@log_format_option
@click.pass_context
def command(context: click.Context, /, *, address: str, port: int, read_only: bool, **flags: Any) -> None:
    """Start Flower. Set FLOWER_BASIC_AUTH=user:password, or a random password is made and printed.

    Flower's /metrics and /healthcheck need no password.
    """
    if find_spec("flower") is None:
        raise BackendError("Flower is not installed", hint=install_hint("flower"))
    require_free_port(address, port, program="Flower")
    settings = settings_of(context, **flags)
    app = app_of(settings)
    try:
        check_room(app)
    except FullBrokerError as error:
        # What is there can still be looked at.
        say(f"warning: {error}")
    if any(":" not in login for login in (os.environ.get(PASSWORD_VARIABLE) or ":").split(",")):
        raise SettingsError(
            f"{PASSWORD_VARIABLE} is no user:password (several with commas between them): nobody could log in",
            hint="set it so, or unset it for a random password",
        )
    if not os.environ.get(PASSWORD_VARIABLE):
        password = secrets.token_urlsafe(12)
        # In the environment: any user of the host can read a command line.
        os.environ[PASSWORD_VARIABLE] = f"{USER}:{password}"
        say(f"user {USER}, password {password}")
    say(f"Flower at http://{address}:{port}; progress of jobs is on the page of 'virnucpro exporter'")
    for name in SET_BY_FLAGS:
        os.environ.pop(name, None)
    for name, value in SHOWN.items():
        os.environ.setdefault(name, value)
    arguments = [
        f"--address={address}",
        f"--port={port}",
        f"--read_only={read_only}",
        f"--max_tasks={MAX_TASKS}",
        f"--purge_offline_workers={PURGE_SECONDS}",
    ]
    if not os.environ.get(FILE_VARIABLE):
        # By default Flower runs the file flowerconfig.py in the current folder.
        arguments.append(f"--conf={os.devnull}")
    if settings.log_format == JSON:
        # Flower adds no handler of its own if there is one.
        logging.getLogger().addHandler(json_handler("flower"))
    try:
        app.start(["flower", *arguments])
    except ValueError as error:
        raise SettingsError(f"a variable FLOWER_* has no valid value: {error}", hint="unset it") from None
