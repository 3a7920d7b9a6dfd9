from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from virnucpro_workers.consumer.periodic import PeriodicStep


class Timer:
    """The timer of Celery's event loop, as far as a step uses it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.cancelled = 0

    def call_repeatedly(self, *call: Any) -> SimpleNamespace:
        self.calls.append(call)
        return SimpleNamespace(cancel=self.cancel)

    def cancel(self) -> None:
        self.cancelled += 1


class Polling(PeriodicStep):
    every_seconds = 0.5

    def poll(self, parent: Any) -> None:
        parent.polls += 1


def test_a_step_polls_at_its_start_and_then_regularly_until_it_stops() -> None:
    parent = SimpleNamespace(timer=Timer(), polls=0)
    step = Polling(parent)
    step.stop(parent)
    step.start(parent)
    assert parent.polls == 1
    ((seconds, poll, arguments),) = parent.timer.calls
    assert seconds == 0.5
    poll(*arguments)
    assert parent.polls == 2
    step.terminate(parent)
    assert parent.timer.cancelled == 1
