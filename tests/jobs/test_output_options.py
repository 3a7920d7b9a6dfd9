"""Options of the result files."""

from __future__ import annotations

import msgspec
import pytest

from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.jobs.output_options import PRESETS, OutputOptions, is_prefix, output_options


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


@pytest.mark.parametrize("prefix", ["", "S1_", "a.b-", "1"])
def test_a_prefix_begins_the_name_of_a_file(prefix: str) -> None:
    assert is_prefix(prefix)
    assert output_options(prefix=prefix).prefix == prefix


@pytest.mark.parametrize("prefix", ["../", "a/", "-a", ".a", "a b", "\n", "x" * 101, "ä"])
def test_any_other_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="--prefix"):
        output_options(prefix=prefix)
