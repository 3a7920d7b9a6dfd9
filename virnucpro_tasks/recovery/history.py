"""The attempts at a shard, or at a stage of a job, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from virnucpro_tasks.recovery.events import (
    Began,
    Damaged,
    Event,
    Failed,
    HandedBack,
    Passed,
    RecordsAtFault,
    StoreFailed,
)

LOST_WORKERS = "its worker died each time"
"""The reason where nobody was left to note one: the whole worker or its host was lost."""

LOST_WORKERS_PER_FAILURE = 3
"""Lost workers that weigh as one failure: mostly the host, or an operator, was the cause."""


@dataclass(slots=True)
class History:
    """Counts of events by probe; each only goes up.

    `begun` counts attempts that were started, `excused` those that ended without a fault of the records (passed, handed
    back, store at fault, culprits found), `failures` those that ended with an error or a lost process. `passed` are
    probes that passed once, `reasons` the last failure of each probe, `culprits` why a record was found at fault, by
    record ordinal; `failed_outside` counts failures outside of any attempt.
    """

    begun: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    passed: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)
    culprits: dict[int, str] = field(default_factory=dict)
    failed_outside: int = 0

    @classmethod
    def of(cls, events: Iterable[Event]) -> History:
        """Add up `events`, oldest first."""
        history = cls()
        for event in events:
            history._add(event)
        return history

    def _add(self, event: Event) -> None:
        match event:
            case Began(probe=probe) | Damaged(probe=probe):
                self.begun[probe] += 1
            case Passed(probe=probe):
                self.excused[probe] += 1
                self.passed.add(probe)
            case HandedBack(probe=probe) | StoreFailed(probe=probe):
                self.excused[probe] += 1
            case RecordsAtFault(probe=probe, reason=reason, culprits=culprits):
                self.excused[probe] += 1
                self.culprits |= dict.fromkeys(culprits, reason)
            case Failed(probe=probe, reason=reason):
                self.failures[probe] += 1
                self.reasons[probe] = reason
            case _:
                self.failed_outside += 1

    def tries(self, probe: str) -> int:
        """Attempts at `probe` that say something against its records."""
        return self.begun[probe] - self.excused[probe]

    def weight(self, probe: str) -> int:
        """Failures of `probe`, a lost worker counting a third (LOST_WORKERS_PER_FAILURE)."""
        failures = self.failures[probe]
        return failures + max(0, self.tries(probe) - failures) // LOST_WORKERS_PER_FAILURE

    def verdict(self, probe: str) -> str:
        """Why the records of `probe` have no vectors: the number of attempts and the last failure."""
        return f"{self.tries(probe)} attempts: {self.reasons.get(probe, LOST_WORKERS)}"
