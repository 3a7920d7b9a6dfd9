from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.accuracy.sources import Source
from benchmarks.accuracy.splits import judged
from virnucpro_tasks.errors import InputError


def test_genera_are_chosen_or_left_out(sources: list[Source]) -> None:
    assert judged(sources) == sources
    chosen = judged(sources, genera=["genus0", "GENUS3"])
    assert {source.genus for source in chosen} == {"Genus0", "Genus3"} and len(chosen) == len(sources) // 2
    rest = judged(sources, not_genera=["genus0", "GENUS3"])
    assert {source.genus for source in rest} == {"Genus1", "Genus2"}
    nameless = [*sources, replace(sources[0], genus="")]
    assert len(judged(nameless, not_genera=["Genus0"])) == len(judged(sources, not_genera=["Genus0"])) + 1
    assert judged(nameless, genera=["Genus0", "Genus1"]) == judged(sources, genera=["Genus0", "Genus1"])


@pytest.mark.parametrize(
    ("date", "after", "is_kept"),
    [
        ("2020-05-02", "2020-05-01", True),
        ("2020-05-01", "2020-05-01", False),
        ("2020-06", "2020-05", True),
        ("2020-05", "2020-05-01", False),
        ("2020", "2020-05", False),
        ("2021", "2020", True),
        ("2020-12-31", "2020", False),
        ("2021-01-01", "2020-12", True),
        ("", "2000", False),
    ],
)
def test_a_record_is_after_a_date_if_it_cannot_be_earlier(
    date: str, after: str, is_kept: bool, sources: list[Source]
) -> None:
    late = [replace(source, date="2030") for source in sources]
    kept = judged([*late, replace(sources[0], date=date)], after=after)
    assert len(kept) - len(late) == is_kept


def test_what_leaves_nothing_of_a_class_or_is_no_date_is_refused(sources: list[Source]) -> None:
    with pytest.raises(InputError, match="no record of viruses is left"):
        judged(sources, genera=["Genus1"])
    for text in ("2020-13", "20", "2020-02-30", "May"):
        with pytest.raises(InputError, match="is no date"):
            judged(sources, after=text)
