from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.jobs.deduplicate import content_key
from virnucpro_tasks.jobs.original_rules import by_original_rules
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings

FRAMES = Coverage.FRAMES


def test_the_original_scores_any_length_in_fp32_unless_a_precision_is_named(settings: Settings) -> None:
    found, least = by_original_rules(settings, Compat.ORIGINAL, min_length=None, coverage=FRAMES, both_strands=False)
    assert (found.precision, least) == ("fp32", 0)
    named = replace(settings, precision="bf16")
    assert by_original_rules(named, Compat.ORIGINAL, min_length=0, coverage=FRAMES, both_strands=False) == (named, 0)
    assert by_original_rules(settings, Compat.NONE, min_length=7, coverage=FRAMES, both_strands=False) == (settings, 7)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"min_length": 60}, "--min-length 60"),
        ({"coverage": Coverage.SEGMENTS}, "--coverage segments"),
        ({"dialect": "broad"}, "the dialect broad"),
        ({"both_strands": True}, "--both-strands"),
    ],
)
def test_what_contradicts_it_is_refused(settings: Settings, changed: dict[str, Any], named: str) -> None:
    asked = {"min_length": None, "coverage": FRAMES, "both_strands": False} | changed
    settings = replace(settings, dialect=asked.pop("dialect", "original"))
    with pytest.raises(SettingsError, match=f"--compat original and {named} contradict"):
        by_original_rules(settings, Compat.ORIGINAL, **asked)


def test_a_job_states_the_rules_and_its_vectors_belong_to_them(settings: Settings) -> None:
    ours, theirs = (make_job(settings, SAMPLE, compat=compat) for compat in Compat)
    assert (theirs.spec.parameters.min_length, theirs.inputs[0].compat) == (0, Compat.ORIGINAL)
    assert theirs.spec.parameters.for_results()["compat"] == "original"
    assert content_key(ours.spec) != content_key(theirs.spec)
    assert embedding_key(ours, "shard") != embedding_key(theirs, "shard")
    assert "whole_proteins" not in embedding_key(ours, "shard").stored()


def test_inputs_that_ours_refuse_are_taken(settings: Settings, tmp_path: Path) -> None:
    proteins = tmp_path / "proteins.faa"
    proteins.write_text("".join(f">p{number}\nMEEPQSDPSVEPPLSQETFSDLWKLLPENNVLACG\n" for number in range(20)))
    assert make_job(settings, proteins, compat=Compat.ORIGINAL).spec.parameters.compat is Compat.ORIGINAL
