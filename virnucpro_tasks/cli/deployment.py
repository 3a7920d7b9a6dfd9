"""The deployment that the settings name, as a command reaches it."""

from __future__ import annotations

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.keys import ROOM
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


def why_away(app: VirnucproApp) -> BrokerError | None:
    """Why Redis does not answer; None if it does. Asked first: each question to one that hangs takes ANSWER_SECONDS."""
    try:
        redis_checks.check_reachable(app)
    except BrokerError as error:
        return error
    return None


def tell_if_full(app: VirnucproApp) -> None:
    """Print a warning if Redis is full, for commands that work all the same; nothing if it does not answer."""
    try:
        app.backend.client.set(ROOM, "", px=1)
    except (OperationalError, RedisError) as error:
        if redis_checks.is_full(error):
            say(f"warning: {redis_checks.full(app)}")


def check_redis(app: VirnucproApp) -> None:
    """`redis_checks.check_redis`, with its warning printed."""
    if warning := redis_checks.check_redis(app):
        say(f"warning: {warning}")
