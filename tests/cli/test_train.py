from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli.conftest import Virnucpro
from job import OTHERS, SAMPLE

from virnucpro_tasks.cli import train
from virnucpro_tasks.cli.labelled import Labelled
from virnucpro_tasks.errors import ExitCode

CARD = {"unseen_groups": {"auroc": 0.93, "records": 17}}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The heads that were asked for; none is fitted."""
    made: list[Any] = []

    def fit_bundle(_output: Path, _bundle: Any, _examples: Any, request: Any, *, say: Any, **_: Any) -> dict[str, Any]:
        made.append(request)
        say(SimpleNamespace(number=3, training=0.25, stopping=0.5, validation=0.5))
        return CARD

    job = SimpleNamespace(spec=SimpleNamespace(parameters=SimpleNamespace(chunk_length=300), inputs=()))
    monkeypatch.setattr(Labelled, "check", lambda _: None)
    monkeypatch.setattr(Labelled, "embedded", lambda *_, **__: job)
    examples = SimpleNamespace(ids=["a"] * 1_234, frames=np.array([5_000, 678]), segments=np.array([0, 91]))
    monkeypatch.setattr(train, "read_examples", lambda *_: examples)
    monkeypatch.setattr(train, "fit_bundle", fit_bundle)
    return made


def test_a_head_is_fitted_as_asked_and_its_epochs_are_printed(
    virnucpro: Virnucpro, requests: list[Any], tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    ended = virnucpro("train", SAMPLE, OTHERS, "-o", out, "--hidden", 64, "--seed", 7, "--licence", "MIT")
    assert (ended.code, ended.out) == (ExitCode.OK, [])
    (request,) = requests
    assert (request.hidden, request.seed, request.licence, request.name) == (64, 7, "MIT", "mine")
    assert (request.kind, request.chunk_length, request.intended_use) == ("mlp", 300, "not stated")
    assert ended.err[1:] == [
        "1,234 records with 5,678 open frames: fitting a head",
        "epoch 3: training loss 0.2500, validation loss 0.5000",
        f"bundle {out} (DEMONSTRATION): AUROC 0.93 on 17 records of unseen groups",
    ]


def test_a_head_is_fitted_to_segments_if_that_is_asked_for(
    virnucpro: Virnucpro, requests: list[Any], tmp_path: Path
) -> None:
    ended = virnucpro("train", SAMPLE, OTHERS, "-o", tmp_path / "mine", "--coverage", "segments")
    assert ended.code == ExitCode.OK
    assert ended.err[1] == "1,234 records with 5,678 open frames and 91 segments: fitting a head"
    assert virnucpro("train", SAMPLE, OTHERS, "-o", tmp_path / "other").code == ExitCode.OK
    assert [request.has_segments for request in requests] == [True, False]


def test_a_part_for_short_records_is_compared_with_both_vectors(
    virnucpro: Virnucpro, requests: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {"nucleotides": {"auroc": 0.8, "records": 40}, "both_vectors": {"auroc": 0.75, "records": 40}}
    monkeypatch.setitem(CARD, "short_records", {"below": 300, "validation": ways, "test": ways})
    ended = virnucpro("train", SAMPLE, OTHERS, "-o", tmp_path / "mine", "--nucleotides-below", 300)
    assert ended.code == ExitCode.OK
    assert ended.err[3:5] == [
        "40 records shorter than 300 bases of the groups of validation, to choose by: "
        "AUROC 0.8 by nucleotides alone, as they are scored now, 0.75 by both vectors",
        "40 records shorter than 300 bases of the groups of test: "
        "AUROC 0.8 by nucleotides alone, as they are scored now, 0.75 by both vectors",
    ]
    assert virnucpro("train", SAMPLE, OTHERS, "-o", tmp_path / "other").code == ExitCode.OK
    assert [request.nucleotides_below for request in requests] == [300, None]
    assert virnucpro("train", SAMPLE, OTHERS, "-o", tmp_path / "no", "--nucleotides-below", 0).code == ExitCode.USAGE


def test_json_prints_the_card_and_that_the_encoders_are_the_demonstration_s(
    virnucpro: Virnucpro, requests: list[Any], tmp_path: Path
) -> None:
    ended = virnucpro("train", SAMPLE, OTHERS, "-o", tmp_path / "mine", "--head", "logistic", "--json", "--quiet")
    assert (json.loads("\n".join(ended.out)), ended.err) == (CARD | {"demonstration": True}, [])
    assert requests[0].kind == "logistic"


def test_an_existing_folder_is_refused_before_anything_is_read(
    virnucpro: Virnucpro, requests: list[Any], tmp_path: Path
) -> None:
    ended = virnucpro("train", "no-such-file", "-o", tmp_path)
    assert ended.code == ExitCode.USAGE and "exists already" in ended.err[0]
    assert requests == []
