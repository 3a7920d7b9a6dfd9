from __future__ import annotations

from dataclasses import replace

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.labels import PARTS, TRAIN, Label
from virnucpro_tasks.heads.splits import SHARES, split_records


def labels_of(sizes: list[int], *, virus: bool) -> list[Label]:
    return [
        Label(virus=virus, group=f"{virus}{number}", taxon="") for number, size in enumerate(sizes) for _ in range(size)
    ]


LABELS = labels_of([40, 1, 1, 2, 3, 5, 8, 1, 1, 9, 9], virus=True) + labels_of([3] * 20, virus=False)


def test_every_record_is_in_one_part_and_no_group_in_two() -> None:
    parts = split_records(LABELS, seed=3)
    assert sorted(record for records in parts.values() for record in records.tolist()) == list(range(len(LABELS)))
    groups = [{LABELS[record].group for record in records} for records in parts.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_shares_are_met_in_both_classes_where_groups_allow() -> None:
    labels = labels_of([3] * 50, virus=True) + labels_of([7] * 40, virus=False)
    parts = split_records(labels, seed=1)
    for virus, total in ((True, 150), (False, 280)):
        for part, share in SHARES.items():
            assert sum(labels[r].virus == virus for r in parts[part].tolist()) == pytest.approx(share * total, abs=7)


def test_the_seed_decides_and_the_order_of_records_does_not() -> None:
    def named(labels: list[Label], seed: int) -> set[str]:
        return {labels[record].group for record in split_records(labels, seed=seed)[TRAIN].tolist()}

    assert named(LABELS, 1) == named(LABELS[::-1], 1) != named(LABELS, 2)


def test_a_group_with_both_labels_stays_together() -> None:
    mixed = [Label(virus=number % 2 == 0, group="mixed", taxon="") for number in range(6)]
    parts = split_records([*LABELS, *mixed], seed=1)
    places = range(len(LABELS), len(LABELS) + 6)
    assert sum(any(place in records for place in places) for records in parts.values()) == 1


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(InputError, match="only 3 groups of others"):
        split_records([*labels_of([2] * 9, virus=True), *labels_of([9, 9, 9], virus=False)], seed=1)


STATED = [Label(virus=virus, group=f"{virus}{part}", taxon="", part=part) for part in PARTS for virus in (True, False)]


def test_parts_that_the_labels_name_are_taken() -> None:
    parts = split_records([*STATED, *STATED], seed=1)
    assert {part: records.tolist() for part, records in parts.items()} == {
        part: [2 * place, 2 * place + 1, 2 * place + 8, 2 * place + 9] for place, part in enumerate(PARTS)
    }


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([*STATED, replace(STATED[0], group="new", part="")], "group 'new' have no part"),
        ([*STATED, replace(STATED[0], part="test")], "group 'Truetrain' is in the parts train and test"),
        (STATED[:-1], "part test does not have both classes"),
    ],
)
def test_parts_that_cannot_be_are_refused(labels: list[Label], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_records(labels, seed=1)
