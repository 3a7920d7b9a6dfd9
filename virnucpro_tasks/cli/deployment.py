"""The deployment that the settings name, as a command reaches it."""

from __future__ import annotations

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.queue import redis_checks
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.settings import Settings

ANSWER_SECONDS = 5.0
"""Time that Redis has for each answer to a client: one that is stopped, or waits for its disk, still takes connections.
"""


def app_of(settings: Settings) -> VirnucproApp:
    """The Celery application of a client, which waits for no answer of Redis longer than ANSWER_SECONDS."""
    app = make_app(settings)
    app.conf.redis_socket_timeout = ANSWER_SECONDS
    options = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    app.conf.broker_transport_options = app.conf.broker_transport_options | options
    return app


def check_redis(app: VirnucproApp) -> None:
    """`redis_checks.check_redis`, with its warning printed."""
    if warning := redis_checks.check_redis(app):
        say(f"warning: {warning}")
