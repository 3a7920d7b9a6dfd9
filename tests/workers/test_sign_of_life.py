from __future__ import annotations

import os

from virnucpro_workers.sign_of_life import Activity, Life, SignOfLife


def test_what_a_process_is_at_is_seen_from_outside() -> None:
    life = SignOfLife()
    assert life.read() == Life(0, Activity.LOADING, 0)
    life.begin()
    child = os.getpid()
    assert life.read() == Life(child, Activity.IDLE, 0)
    with life.working():
        assert life.read().activity is Activity.WORKING
        with life.computing() as count_pack:
            count_pack()
            count_pack()
            assert life.read() == Life(child, Activity.COMPUTING, 2)
        assert life.read().activity is Activity.WORKING
    assert life.read() == Life(child, Activity.IDLE, 2)
    life.end()
    assert life.read().activity is Activity.LOADING


def test_a_process_that_works_or_computes_is_at_a_task() -> None:
    life = SignOfLife()
    assert not life.is_at_task()
    life.begin()
    assert not life.is_at_task()
    with life.working():
        assert life.is_at_task()
        with life.computing():
            assert life.is_at_task()
    assert not life.is_at_task()
