"""An outage of Redis in two log lines: that it began, and that it is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from virnucpro_workers.consumer.kombu_internals import connection_news
from virnucpro_workers.consumer.lease import LEASES_BACK, LEASES_LOST
from virnucpro_workers.consumer.lost_jobs import JOBS_LOST


class Change(StrEnum):
    """The news in a log record about the connection to Redis."""

    LOST = "lost"
    BACK = "back"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class News:
    """A change of a connection: of whom, and how; `reason` is why it was lost."""

    who: str
    change: Change
    reason: str = ""


def news_of(record: logging.LogRecord) -> News | None:
    """Return what a record says about the connection to Redis; None for any other record."""
    if record.msg == LEASES_LOST:
        return News("leases", Change.LOST, record.getMessage().partition(": ")[2])
    if record.msg == LEASES_BACK:
        return News("leases", Change.BACK)
    found = connection_news(record)
    return None if found is None else News("consumer", Change(found[0]), found[1])


class OutageFilter(logging.Filter):
    """Lets the first record of an outage pass, and the last, and none between.

    The consumer and the thread that renews leases have connections of their own: all of them must be back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lost: set[str] = set()
        self._since = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        news = news_of(record)
        if news is None:
            return not (self._lost and record.msg == JOBS_LOST)
        if news.change is Change.NOISE:
            return False
        if news.change is Change.LOST:
            is_first = not self._lost
            if is_first:
                self._since = self._clock()
                record.msg, record.args = "Redis cannot be reached, and is tried again: %s", (news.reason,)
                record.levelno, record.levelname = logging.WARNING, "WARNING"
            self._lost.add(news.who)
            return is_first
        if news.who not in self._lost:
            return True
        self._lost.discard(news.who)
        if not self._lost:
            record.msg, record.args = "Redis answers again, after %.0f s", (self._clock() - self._since,)
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return not self._lost
