from __future__ import annotations

from collections.abc import Callable

import pytest

from virnucpro_tasks.recovery.bisect import GIVEN_UP, PIECES, RECORD_ATTEMPTS, REST, Probe, next_probe
from virnucpro_tasks.recovery.events import Began, Event, Failed, Passed, RecordsAtFault
from virnucpro_tasks.recovery.history import LOST_WORKERS, History

ORDINALS = list(range(100, 137))


def drive(
    fails: Callable[[Probe, set[int]], bool], ordinals: list[int] = ORDINALS, *, note: bool = True
) -> tuple[list[str], Probe]:
    """Take probes until one that is not diagnostic passes; the names of all probes, and the last one.

    Without `note` nobody is left to say that an attempt has failed.
    """
    events: list[Event] = []
    names = []
    while True:
        probe = next_probe(History.of(events), ordinals, max_attempts=3)
        names.append(probe.name)
        if probe.name == GIVEN_UP:
            return names, probe
        events.append(Began(probe=probe.name))
        records = {ordinals[place] for part in probe.parts for place in range(part.first, part.stop)}
        if fails(probe, records - set(probe.culprits)):
            if note:
                events.append(Failed(probe=probe.name, reason="broken"))
        elif probe.is_diagnostic:
            events.append(Passed(probe=probe.name))
        else:
            return names, probe


@pytest.mark.parametrize("poison", [{100}, {136}, {118}, {100, 101}, {107, 120, 131}, set(ORDINALS[5:9])])
def test_exactly_the_records_at_fault_are_found(poison: set[int]) -> None:
    names, last = drive(lambda probe, records: bool(records & poison))
    assert last.name == REST
    assert last.culprits == dict.fromkeys(poison, f"{RECORD_ATTEMPTS} attempts: broken")
    assert names[:3] == ["whole"] * 3 and names.count("whole") == 3
    assert len(names) <= 4 + len(poison) * (2 * len(ORDINALS).bit_length() + RECORD_ATTEMPTS)


def test_nobody_is_condemned_for_failures_that_do_not_come_back() -> None:
    left = iter([True] * 7)
    _, last = drive(lambda probe, records: next(left, False))
    assert (last.name, last.culprits) == (REST, {})


def test_a_shard_that_fails_only_as_a_whole_is_computed_in_pieces() -> None:
    _, last = drive(lambda probe, records: probe.name != PIECES and len(records) > 20)
    assert last.name == PIECES
    assert last.culprits == {}
    assert [(part.first, part.stop) for part in last.parts] == [(0, 18), (18, 37)]


def test_what_nothing_helps_is_given_up_as_a_whole() -> None:
    names, last = drive(lambda probe, records: not probe.is_diagnostic)
    assert last.name == GIVEN_UP
    assert set(last.culprits) == set(ORDINALS)
    assert names.count(REST) == 2 and names.count(PIECES) == 3


def test_all_records_may_be_at_fault_and_a_single_one_needs_no_bisection() -> None:
    _, last = drive(lambda probe, records: True)
    assert (last.name, set(last.culprits)) == (GIVEN_UP, set(ORDINALS))
    names, last = drive(lambda probe, records: True, [9])
    assert (names, last.culprits) == ([*["whole"] * 3, GIVEN_UP], {9: "3 attempts: broken"})


def test_lost_workers_condemn_only_by_threes() -> None:
    names, last = drive(lambda probe, records: True, [9], note=False)
    assert names == [*["whole"] * 9, GIVEN_UP]
    assert last.culprits == {9: f"9 attempts: {LOST_WORKERS}"}
    # Not three hosts that an operator has killed
    left = iter([True] * 8)
    names, last = drive(lambda probe, records: next(left, False), [9], note=False)
    assert (names, last.culprits) == (["whole"] * 9, {})


def test_a_record_that_takes_its_whole_worker_with_it_is_found_all_the_same() -> None:
    names, last = drive(lambda probe, records: 118 in records, note=False)
    assert last.name == REST and set(last.culprits) == {118}
    assert names.count("whole") == 3 and names.count("18-19") == 6
    assert len(names) <= 4 + 2 * len(ORDINALS).bit_length() + 6


def test_known_culprits_are_left_out_and_their_attempt_does_not_count() -> None:
    nan = [Began(probe="whole"), RecordsAtFault(probe="whole", reason="NaN", culprits=(103, 120))]
    probe = next_probe(History.of(nan), ORDINALS, max_attempts=1)
    assert (probe.name, probe.culprits) == ("whole", {103: "NaN", 120: "NaN"})
    everything = [RecordsAtFault(probe="whole", reason="NaN", culprits=tuple(ORDINALS))]
    assert next_probe(History.of(everything), ORDINALS, max_attempts=1).name == GIVEN_UP
