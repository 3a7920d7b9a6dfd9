"""Variables of earlier versions are told, do what they stand for or nothing, and are never an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import Virnucpro, virnucpro  # noqa: F401

from virnucpro_tasks.earlier_variables import EARLIER_VARIABLES, earlier_warnings
from virnucpro_tasks.settings import load_settings

YES = ("1", "true", "Yes", " TRUE ")
NO = ("", "0", "false", "No")


@pytest.mark.parametrize("name", EARLIER_VARIABLES)
@pytest.mark.parametrize("value", [*YES, *NO, "maybe", "\x1b[2J", "é" * 1000])
def test_no_value_is_an_error_and_each_that_is_set_is_told(name: str, value: str) -> None:
    before = load_settings(environment={})
    settings = load_settings(environment={name: value})
    told = list(earlier_warnings({name: value}))
    assert len(told) == (value not in NO)
    variable = EARLIER_VARIABLES[name]
    if value in YES and variable.setting:
        assert getattr(settings, variable.setting) == variable.value != getattr(before, variable.setting)
    else:
        assert settings == before
    assert all(name in line and line.isprintable() and len(line) < 200 for line in told)


def test_every_other_source_counts_more(tmp_path: Path) -> None:
    earlier = {"VIRNUCPRO_DISABLE_FP16": "1", "VIRNUCPRO_V1_ATTENTION": "true"}
    (tmp_path / "settings.yaml").write_text("precision: fp16\n")
    assert load_settings(environment=earlier).precision == "fp32"
    assert load_settings(environment=earlier, file=tmp_path / "settings.yaml").precision == "fp16"
    assert load_settings(environment=earlier | {"VIRNUCPRO_ATTENTION": "auto"}).attention == "auto"
    assert load_settings(environment=earlier, flags={"precision": "bf16"}).precision == "bf16"
