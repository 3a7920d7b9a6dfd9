"""Which records of a shard are at fault: the next thing to try, as a pure function of what was tried before.

    whole     the shard, up to `max_attempts` times
    a-b       records a to b (b excluded) alone: halves of what failed, down to one record
    rest      the shard without the records at fault, REST_ATTEMPTS times
    pieces    the same, each part that went well by itself, up to `max_attempts` times
    given up  nothing helps: every record of the shard is at fault

A part of several records is tried once: if its worker died of something else, halving it costs time and
condemns nobody. A single record is condemned by RECORD_ATTEMPTS failures, and never by what it was tried with. Where
something is condemned, workers that were lost as a whole count by threes (`History.weight`).
Any worker that reads the same lines takes the same next step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from virnucpro_tasks.recovery.attempts import WHOLE, History

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
class Step:
    """What to try: its name, the parts of the shard that are computed together, and the records known to be at fault.

    `culprits` maps record ordinals to reasons; no step computes them.
    """

    name: str
    parts: tuple[Part, ...]
    culprits: dict[int, str]

    @property
    def is_probe(self) -> bool:
        """Whether it only tells whose fault it is: its vectors are not kept."""
        return self.name not in (WHOLE, REST, PIECES, GIVEN_UP)


def next_step(history: History, ordinals: Sequence[int], *, max_attempts: int) -> Step:
    """What to try next with a shard whose records with frames are `ordinals`."""
    everything = Part(0, len(ordinals))
    found = dict(history.culprits)
    if all(ordinal in found for ordinal in ordinals):
        return Step(GIVEN_UP, (), found)
    tried = history.tries[WHOLE] if len(everything) > 1 else history.weight(WHOLE)
    if tried < max_attempts:
        return Step(WHOLE, (everything,), found)
    leaves = list(_leaves(history, everything, ordinals, max_attempts))
    untried = next((part for part, is_sound in leaves if is_sound is None), None)
    if untried is not None:
        return Step(untried.name, (untried,), found)
    for part in (part for part, is_sound in leaves if not is_sound):
        found.setdefault(ordinals[part.first], history.verdict(WHOLE if part == everything else part.name))
    if all(ordinal in found for ordinal in ordinals):
        return Step(GIVEN_UP, (), found)
    if history.weight(REST) < REST_ATTEMPTS:
        return Step(REST, (everything,), found)
    if history.weight(PIECES) < max_attempts:
        return Step(PIECES, tuple(part for part, is_sound in leaves if is_sound), found)
    reason = f"the shard fails though none of its other records does alone: {history.verdict(PIECES)}"
    return Step(GIVEN_UP, (), dict.fromkeys(ordinals, reason) | found)


def _leaves(
    history: History, part: Part, ordinals: Sequence[int], max_attempts: int
) -> Iterator[tuple[Part, bool | None]]:
    """The parts that are not divided further: True if one went well, False for a record at fault, None if untried."""
    whole = len(part) == len(ordinals)
    step = WHOLE if whole else part.name
    if all(ordinals[place] in history.culprits for place in range(part.first, part.stop)):
        return
    if part.name in history.done:
        yield part, True
    elif len(part) == 1:
        yield part, (None if history.weight(step) < (max_attempts if whole else RECORD_ATTEMPTS) else False)
    elif not whole and history.tries[step] < 1:
        yield part, None
    else:
        for half in part.halves:
            yield from _leaves(history, half, ordinals, max_attempts)
