"""The deployment that the settings name, as a command reaches it."""

from __future__ import annotations

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.queue import redis_checks
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.settings import Settings


def app_of(settings: Settings) -> VirnucproApp:
    """The Celery application of a client."""
    return make_app(settings)


def check_redis(app: VirnucproApp) -> None:
    """`redis_checks.check_redis`, with its warning printed."""
    if warning := redis_checks.check_redis(app):
        say(f"warning: {warning}")
