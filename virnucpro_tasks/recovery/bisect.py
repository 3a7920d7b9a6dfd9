"""Finds the records of a shard that are at fault: the next probe, as a pure function of the attempts so far.

    whole     the shard, up to `max_attempts` times
    a-b       records a to b (b excluded) alone: halves of what failed, down to one record
    rest      the shard without the records at fault, REST_ATTEMPTS times
    pieces    each part that passed by itself, without the records at fault, up to `max_attempts` times
    given up  nothing helps: every record of the shard is at fault

A part of several records is tried once: if its worker died for another reason, halving it costs time and blames no
record. A single record is blamed after RECORD_ATTEMPTS failures of its own. Three lost workers count as one
failure (`History.weight`). Any worker that reads the same events takes the same next probe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from virnucpro_tasks.recovery.events import WHOLE
from virnucpro_tasks.recovery.history import History

REST, PIECES, GIVEN_UP = "rest", "pieces", "given up"
RECORD_ATTEMPTS = 2
REST_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """The records `first` to `stop` (excluded) of a shard, counted among those that have frames."""

    first: int
    stop: int

    @property
    def name(self) -> str:
        return f"{self.first}-{self.stop}"

    @property
    def halves(self) -> tuple[Part, Part]:
        middle = (self.first + self.stop) // 2
        return Part(self.first, middle), Part(middle, self.stop)

    def __len__(self) -> int:
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class Probe:
    """A trial: its name, the parts of the shard that are computed together, and the records known to be at fault.

    `culprits` maps record ordinals to reasons; no probe computes them.
    """

    name: str
    parts: tuple[Part, ...]
    culprits: dict[int, str]

    @property
    def is_diagnostic(self) -> bool:
        """Whether it only tells which records are at fault: its vectors are not kept."""
        return self.name not in (WHOLE, REST, PIECES, GIVEN_UP)


def next_probe(history: History, ordinals: Sequence[int], *, max_attempts: int) -> Probe:
    """The next probe of a shard whose records with frames are `ordinals`."""
    everything = Part(0, len(ordinals))
    found = dict(history.culprits)
    if all(ordinal in found for ordinal in ordinals):
        return Probe(GIVEN_UP, (), found)
    tried = history.tries(WHOLE) if len(everything) > 1 else history.weight(WHOLE)
    if tried < max_attempts:
        return Probe(WHOLE, (everything,), found)
    leaves = list(_leaves(history, everything, ordinals, max_attempts))
    untried = next((part for part, passed in leaves if passed is None), None)
    if untried is not None:
        return Probe(untried.name, (untried,), found)
    for part in (part for part, passed in leaves if not passed):
        found.setdefault(ordinals[part.first], history.verdict(WHOLE if part == everything else part.name))
    if all(ordinal in found for ordinal in ordinals):
        return Probe(GIVEN_UP, (), found)
    if history.weight(REST) < REST_ATTEMPTS:
        return Probe(REST, (everything,), found)
    if history.weight(PIECES) < max_attempts:
        return Probe(PIECES, tuple(part for part, passed in leaves if passed), found)
    reason = f"the shard fails though none of its other records does alone: {history.verdict(PIECES)}"
    return Probe(GIVEN_UP, (), dict.fromkeys(ordinals, reason) | found)


def _leaves(
    history: History, part: Part, ordinals: Sequence[int], max_attempts: int
) -> Iterator[tuple[Part, bool | None]]:
    """The parts that are not divided further: True if one passed, False for a record at fault, None if untried."""
    is_whole = len(part) == len(ordinals)
    probe = WHOLE if is_whole else part.name
    if all(ordinals[place] in history.culprits for place in range(part.first, part.stop)):
        return
    if part.name in history.passed:
        yield part, True
    elif len(part) == 1:
        yield part, (None if history.weight(probe) < (max_attempts if is_whole else RECORD_ATTEMPTS) else False)
    elif not is_whole and history.tries(probe) < 1:
        yield part, None
    else:
        for half in part.halves:
            yield from _leaves(history, half, ordinals, max_attempts)
