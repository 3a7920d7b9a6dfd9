"""The outcome of a check, and thresholds applied to a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Whether all is well, something needs attention, or a job would not run."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one check: a sentence, what to do if it is not ok, and its numbers for scripts."""

    detail: str
    status: Status = Status.OK
    advice: str = ""
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome with the name of its check. Without a check that is `needed` no deployed job would run."""

    check: str
    outcome: Outcome
    needed: bool = True

    @property
    def status(self) -> Status:
        return self.outcome.status

    @property
    def prevents_jobs(self) -> bool:
        """Whether a deployed job would not run."""
        return self.needed and self.status is Status.FAILED

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "check": self.check,
            "status": self.status.value,
            "ok": self.status is not Status.FAILED,
            "needed": self.needed,
            "detail": self.outcome.detail,
            "advice": self.outcome.advice,
            "values": self.outcome.values,
        }


def worst(outcomes: list[Outcome]) -> Outcome:
    """Several outcomes as one: all sentences, the worst status, and the advice of those that are not ok."""
    order = list(Status)
    return Outcome(
        "; ".join(outcome.detail for outcome in outcomes),
        max((outcome.status for outcome in outcomes), key=order.index, default=Status.OK),
        "; ".join(dict.fromkeys(outcome.advice for outcome in outcomes if outcome.advice)),
        {name: value for outcome in outcomes for name, value in outcome.values.items()},
    )


def below(number: float, *, least: float, enough: float) -> Status:
    """The status of something of which `number` is left: failed below `least`, a warning below `enough`."""
    return Status.FAILED if number < least else Status.WARNING if number < enough else Status.OK


def above(number: float, *, most: float) -> Status:
    """A warning for a number above `most`."""
    return Status.WARNING if number > most else Status.OK
