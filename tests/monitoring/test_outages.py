from __future__ import annotations

from dataclasses import replace

from monitoring.looks import look

from virnucpro_tasks.monitoring.outages import Outages

AWAY = replace(look(), redis_error="Redis at redis://here cannot be reached")
FULL = replace(look(), redis_error="Redis at redis://here is full", redis_full=True)
UNREAD = replace(look(), store_error="it is not mounted")


def test_an_outage_of_redis_is_told_when_it_begins_and_when_it_ends() -> None:
    outages = Outages()
    told = [list(outages.lines(found)) for found in (look(), AWAY, AWAY, look(), look(), AWAY)]
    begins, ends = [f"warning: {AWAY.redis_error}"], ["Redis answers again"]
    assert told == [[], begins, [], ends, [], begins]


def test_that_redis_is_full_is_told_apart() -> None:
    outages = Outages()
    told = [list(outages.lines(found)) for found in (AWAY, FULL, FULL, look())]
    assert told == [[f"warning: {AWAY.redis_error}"], [f"warning: {FULL.redis_error}"], [], ["Redis has room again"]]


def test_an_outage_of_the_store_is_told_the_same_way() -> None:
    outages = Outages()
    told = [list(outages.lines(found)) for found in (UNREAD, UNREAD, look())]
    assert told == [["warning: the store cannot be read: it is not mounted"], [], ["the store can be read again"]]
