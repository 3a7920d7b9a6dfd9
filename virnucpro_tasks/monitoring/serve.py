"""Serves metrics and a page over HTTP. Whoever asks gets the last look at the deployment, without waiting for one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from virnucpro_tasks.monitoring.look import Look
from virnucpro_tasks.monitoring.metrics import families
from virnucpro_tasks.monitoring.page import deployment_page

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)


class LastLook(Collector):
    """The metrics of the last look; none before the first one."""

    def __init__(self) -> None:
        self.look: Look | None = None

    def keep(self, look: Look) -> None:
        """Replace the look."""
        self.look = look

    def collect(self) -> Iterator[Metric]:
        """The metrics, for prometheus_client."""
        if (look := self.look) is not None:
            yield from families(look)

    def describe(self) -> list[Metric]:
        """Nothing: names are not known to clash with those of other collectors before the first look."""
        return []


def keep_looking(look: Callable[[], Look], last: LastLook, stopping: threading.Event, *, every_seconds: float) -> None:
    """Look every `every_seconds` until `stopping` is set; an error is logged, and the next look comes in its turn."""
    while True:
        try:
            last.keep(look())
        except Exception as error:
            # Of the store, Redis or a library: the time of the last look tells that it gets old.
            log.warning("no look at the deployment: %s: %s", type(error).__name__, error)
        if stopping.wait(every_seconds):
            return


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread, which does not keep the process from its end."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Logs no requests: a scrape every few seconds would bury everything else."""

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def serving(last: LastLook, *, address: str, port: int, every_seconds: float) -> Iterator[WSGIServer]:
    """Serve /metrics, and the page of the deployment at /, within the block. Raises OSError if that cannot be.

    `every_seconds` is the time after which a browser loads the page again.
    """
    registry = CollectorRegistry()
    registry.register(last)
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO") or "/"
        if path == "/metrics":
            return metrics(environ, start_response)
        if path != "/":
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"only / and /metrics are here\n"]
        page = deployment_page(last.look, every_seconds=every_seconds).encode()
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")])
        return [page]

    with make_server(address, port, answer, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
