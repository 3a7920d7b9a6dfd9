from __future__ import annotations

from dataclasses import replace

import numpy as np
from heads.records import made_records

from virnucpro_tasks.heads.figures import by_group, by_length_class, by_taxon, figures, group_warnings
from virnucpro_tasks.heads.labels import Label


def test_unscored_records_are_counted() -> None:
    found = made_records(unscored=4)
    values = figures(found, seed=1)
    assert (values["records"], values["viruses"], values["scored"], values["reason"]) == (48, 24, 44, None)
    # Two of the viruses and two of the others have no score.
    assert values["recall"] == round(22 / 24, 4) and values["false_positive_rate"] == 0 and values["precision"] == 1
    low, high = values["recall_95"]
    assert 0.7 < low < values["recall"] < high <= 1
    assert figures(found.of(found.is_scored), seed=1)["recall"] == 1


def test_fewer_than_twenty_records_have_no_figure_but_a_reason() -> None:
    values = figures(made_records(19, unscored=2), seed=1)
    assert (values.pop("records"), values.pop("viruses"), values.pop("scored")) == (19, 10, 17)
    assert values.pop("reason") == "19 records, fewer than 20"
    assert set(values.values()) == {None} and set(values) | {"records", "viruses", "scored", "reason"} == set(
        figures(made_records(20), seed=1)
    )


def test_length_classes_with_few_records_are_named_without_figures() -> None:
    found = made_records(48)
    found.lengths[:10] = 400
    report = by_length_class(found, seed=1)
    assert [(name, part["records"], part["reason"]) for name, part in report.items()] == [
        ("0 to 499", 10, "10 records, fewer than 20"),
        ("500 to 999", 38, None),
    ]


def test_a_taxon_has_a_share_with_an_interval_and_an_auroc_against_the_other_class() -> None:
    report = by_taxon(made_records(unscored=4), seed=1)
    assert list(report) == ["t0", "t1"]
    viruses, others = report["t0"], report["t1"]
    assert (viruses["virus"], viruses["records"], viruses["scored"], viruses["groups"]) == (True, 24, 22, 12)
    assert viruses["called_virus"] == round(22 / 24, 4) and viruses["mean_score"] == 0.9
    low, high = viruses["called_virus_95"]
    assert low < viruses["called_virus"] < high
    # The two unscored viruses are below 22 others and level with two.
    assert viruses["auroc"] == others["auroc"] == round((22 * 24 + 2 * 2 * 0.5) / 24**2, 4)
    assert (others["virus"], others["called_virus"], others["called_virus_95"]) == (False, 0, (0, 0))


def test_a_small_taxon_is_named_without_figures_and_a_mixed_one_is_two() -> None:
    found = made_records(60, taxa=1)
    small = replace(found.labels[0], taxon="small")
    found = replace(found, labels=[small, *found.labels[1:]])
    report = by_taxon(found, seed=1)
    assert list(report) == ["small", "t0 (others)", "t0"] or set(report) == {"small", "t0 (others)", "t0"}
    assert report["small"]["reason"] == "1 record, fewer than 20" and report["small"]["called_virus"] is None
    assert (report["t0"]["records"], report["t0 (others)"]["records"]) == (29, 30)


def test_each_group_counts_the_same() -> None:
    found = made_records(40, groups=40, unscored=0)
    # One virus group with 21 records that are all missed beside 20 groups of one record that are all found.
    missed = [Label(virus=True, group="missed", taxon="")] * 21
    found = replace(
        found,
        ids=[*found.ids, *("m" * 21)],
        labels=[*found.labels, *missed],
        lengths=np.full(61, 500),
        scores=np.append(found.scores, np.full(21, 0.1)),
    )
    report = by_group(found, seed=1)
    assert report["viruses"]["groups"] == 21 and report["viruses"]["called_virus"] == round(20 / 21, 4)
    assert report["viruses"]["called_virus_95"][0] < 1 == report["viruses"]["called_virus_95"][1]
    assert report["groups"] == {"missed": {"virus": True, "records": 21, "scored": 21, "called_virus": 0}}
    assert report["smaller_groups"] == 40
    few = by_group(found.of(~found.virus | (np.arange(61) < 4)), seed=1)
    assert few["viruses"]["called_virus"] is None and few["viruses"]["reason"] == "2 records, fewer than 20"


def test_a_class_with_few_groups_is_warned_of() -> None:
    assert group_warnings(made_records(groups=20)) == []
    assert group_warnings(made_records(groups=18)) == [
        "only 9 groups of viruses: its figures say little of other organisms",
        "only 9 groups of others: its figures say little of other organisms",
    ]
