"""Options of the result files."""

from __future__ import annotations

import msgspec
import pytest

from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.jobs.output_options import (
    FALSE_DISCOVERY_LEVELS,
    PRESETS,
    Cutoffs,
    OutputOptions,
    is_prefix,
    output_options,
)


def test_a_cutoff_replaces_that_of_the_preset() -> None:
    chosen = output_options(preset="conservative", min_length=0, min_score=0.9)
    preset = PRESETS["conservative"]
    assert chosen.cutoffs == msgspec.structs.replace(preset, min_length=0, min_score=0.9)
    assert chosen.cutoffs.min_scored_fraction == preset.min_scored_fraction
    assert output_options() == OutputOptions()


def test_presets_are_ordered_from_strict_to_lax() -> None:
    cutoffs = [msgspec.structs.astuple(PRESETS[name])[:3] for name in ("conservative", "default", "relaxed")]
    for strict, middle, lax in zip(*cutoffs, strict=True):
        assert strict >= middle >= lax
    assert PRESETS["default"].min_score == 0.5


def test_where_there_are_rates_a_preset_is_a_rate_alone() -> None:
    levels = [output_options(preset=name).cutoffs_of(has_rates=True) for name in ("conservative", "default", "relaxed")]
    assert levels == [Cutoffs(min_score=0.0, max_fdr=level) for level in (0.05, 0.1, 0.2)]
    assert output_options(preset="relaxed").cutoffs_of(has_rates=False) == PRESETS["relaxed"]
    assert not output_options(preset="relaxed").asks_for_rates


def test_a_score_takes_the_place_of_the_rate_and_a_length_comes_to_it() -> None:
    by_score = output_options(preset="conservative", min_score=0.9)
    assert by_score.rate_cutoffs == by_score.cutoffs and not by_score.asks_for_rates
    assert output_options(min_length=300).rate_cutoffs == Cutoffs(min_score=0.0, min_length=300, max_fdr=0.1)
    both = output_options(min_score=0.9, max_fdr=0.01)
    assert both.rate_cutoffs == Cutoffs(min_score=0.9, max_fdr=0.01) and both.asks_for_rates
    assert both.cutoffs == Cutoffs(min_score=0.9)


@pytest.mark.parametrize("preset", FALSE_DISCOVERY_LEVELS)
def test_a_rate_is_asked_for_also_if_it_is_that_of_the_preset(preset: str) -> None:
    given = output_options(preset=preset, max_fdr=FALSE_DISCOVERY_LEVELS[preset])
    assert given.asks_for_rates
    assert given == msgspec.structs.replace(output_options(preset=preset), asks_for_rates=True)


@pytest.mark.parametrize("given", [{"prior": 0.0}, {"prior": 1.0}, {"prior": float("nan")}, {"max_fdr": 1.5}])
def test_a_share_or_a_rate_out_of_range_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        output_options(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["", "S1_", "a.b-", "1"])
def test_a_prefix_begins_the_name_of_a_file(prefix: str) -> None:
    assert is_prefix(prefix)
    assert output_options(prefix=prefix).prefix == prefix


@pytest.mark.parametrize("prefix", ["../", "a/", "-a", ".a", "a b", "\n", "x" * 101, "ä"])
def test_any_other_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="--prefix"):
        output_options(prefix=prefix)
