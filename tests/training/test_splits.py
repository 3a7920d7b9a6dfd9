from __future__ import annotations

from collections import defaultdict

from training.splits import LEFT_OUT, TEST, TRAIN, VALIDATION, Labelled, assign_splits, species


def rows(*, taxa: int = 3, groups: int = 20, records: int = 3) -> list[Labelled]:
    return [
        Labelled(f"r{virus:d}.{taxon}.{group}.{record}", virus, f"g{virus:d}.{taxon}.{group}", f"t{taxon}", "x", False)
        for virus in (False, True)
        for taxon in range(taxa)
        for group in range(groups)
        for record in range(records)
    ]


def test_no_group_is_on_two_sides():
    labelled = rows()
    split_of = assign_splits(labelled, elsewhere=[], seed=1)
    sides = defaultdict(set)
    for row in labelled:
        sides[row.group].add(split_of[row.record_id])
    assert all(len(found) == 1 for found in sides.values())


def test_every_taxon_with_enough_groups_is_on_every_side():
    labelled = rows()
    split_of = assign_splits(labelled, elsewhere=[], seed=1)
    sides = defaultdict(set)
    for row in labelled:
        sides[row.virus, row.taxon].add(split_of[row.record_id])
    assert all(found == {TRAIN, VALIDATION, TEST} for found in sides.values())


def test_a_taxon_of_one_group_trains():
    split_of = assign_splits(rows(taxa=1, groups=1), elsewhere=[], seed=1)
    assert set(split_of.values()) == {TRAIN}


def test_new_rows_move_no_group_of_another_taxon():
    few, many = rows(taxa=2), rows(taxa=3)
    before, after = (assign_splits(labelled, elsewhere=[], seed=1) for labelled in (few, many))
    assert all(after[record] == split for record, split in before.items())


def test_a_virus_seen_elsewhere_takes_its_group_along_and_another_only_itself():
    seen = Labelled("seen", True, "v", "t", "Rabies virus isolate 7", True)
    kin = Labelled("kin", True, "v", "t", "Rabies virus isolate 8", False)
    named = Labelled("named", True, "w", "t", "Zika virus strain MR766, complete genome", False)
    slice_one = Labelled("one", False, "human", "h", "Homo sapiens chr16", True)
    slice_two = Labelled("two", False, "human", "h", "Homo sapiens chr17", False)
    split_of = assign_splits([seen, kin, named, slice_one, slice_two], elsewhere=["Zika virus"], seed=1)
    assert [split_of[name] for name in ("seen", "kin", "named", "one")] == [LEFT_OUT] * 4
    assert split_of["two"] == TRAIN


def test_species_of_a_name():
    assert species("Oropouche virus segment L") == "oropouche virus"
    assert species("Human herpesvirus 3 (VZV)") == "human herpesvirus 3"
    assert species("Zika virus strain MR766, complete genome") == "zika virus"
