"""`virnucpro exporter`."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.listening import require_free_port
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import MOST_SECONDS_BETWEEN_LOOKS, NumberRange, deployment_options, settings_of
from virnucpro_tasks.cli.service_end import ending_when_stopped
from virnucpro_tasks.errors import BackendError, install_hint
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.monitoring.look import Look
from virnucpro_tasks.monitoring.observer import Observer
from virnucpro_tasks.monitoring.outages import Outages

PORT = 9809


@click.command("exporter")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Port to listen on.")
@click.option(
    "--every",
    "every_seconds",
    type=NumberRange(min=1, max=MOST_SECONDS_BETWEEN_LOOKS),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks at the deployment; a scrape gets the last one.",
)
@deployment_options
@click.pass_context
def command(context: click.Context, /, *, address: str, port: int, every_seconds: float, **flags: Any) -> None:
    """Serve metrics of the deployment for Prometheus at /metrics, and a page of its jobs and workers at /.

    Both need no password: they tell ids and names of jobs and their owners, but nothing of inputs or results.
    """
    if find_spec("prometheus_client") is None:
        raise BackendError("prometheus-client is not installed", hint=install_hint("metrics"))
    # Imported here: it needs that package.
    from virnucpro_tasks.monitoring.serve import LastLook, keep_looking, serving

    settings = settings_of(context, **flags)
    require_store(settings.store)
    require_free_port(address, port, program="the exporter")
    observer, last, outages = Observer(app_of(settings), settings), LastLook(), Outages()

    def look() -> Look:
        found = observer.look()
        for line in outages.lines(found):
            say(line)
        return found

    with ending_when_stopped("the exporter"), serving(last, address=address, port=port, every_seconds=every_seconds):
        say(f"jobs and workers at http://{address}:{port}/, metrics at http://{address}:{port}/metrics")
        keep_looking(look, last, threading.Event(), every_seconds=every_seconds)
