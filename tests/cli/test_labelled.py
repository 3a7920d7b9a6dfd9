from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from job import OTHERS, SAMPLE

from virnucpro_tasks.cli import labelled as module
from virnucpro_tasks.cli.labelled import Labelled
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.errors import BackendError, InputError
from virnucpro_tasks.reads.coverage import Coverage


def labelled(*inputs: Path, **changed: Any) -> Labelled:
    """As `train` and `evaluate` read their arguments."""
    arguments: dict[str, Any] = {
        "tables": (),
        "bundle": "demo",
        "coverage": Coverage.FRAMES,
        "work": Path("work"),
        "devices": "cpu",
        "seed": 1,
        "quiet": True,
    }
    return Labelled.of(click.Context(cli), inputs=inputs, **arguments | changed)


def test_two_files_are_viruses_and_others() -> None:
    read = labelled(SAMPLE, OTHERS)
    assert [read.labels.of("any", ordinal).virus for ordinal in (0, 1)] == [True, False]  # type: ignore[union-attr]
    assert (read.settings.store, read.bundle.description.demonstration) == (Path("work"), True)


@pytest.mark.parametrize("count", [1, 3])
def test_other_numbers_of_files_need_a_table(count: int) -> None:
    with pytest.raises(click.UsageError, match="or --labels TABLE"):
        labelled(*[SAMPLE] * count)


def test_wrong_labels_are_found_before_anything_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "embed_here", lambda *_, **__: pytest.fail("embedded"))
    table = tmp_path / "labels.tsv"
    table.write_text("id\tlabel\nno-such-record\tvirus\n")
    with pytest.raises(InputError, match="label"):
        labelled(SAMPLE, tables=(table,)).check()


def test_it_is_embedded_with_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(module, "embed_here", lambda *given, **named: asked.append((given, named)))
    read = labelled(SAMPLE, OTHERS, token_budget=99)
    read.embedded(scored=False, chunk_length=300)
    ((settings, inputs), named) = asked[0]
    assert (settings.token_budget, inputs) == (99, (SAMPLE, OTHERS))
    expected = {"devices": "cpu", "quiet": True, "scored": False, "chunk_length": 300, "coverage": Coverage.FRAMES}
    expected["both_strands"] = False
    assert named == expected
    labelled(SAMPLE, OTHERS, coverage=Coverage.SEGMENTS).embedded(scored=True)
    assert asked[1][1]["coverage"] is Coverage.SEGMENTS


def test_without_the_packages_of_training_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise BackendError(f"no {name}")

    monkeypatch.setattr(module, "require_extra", refuse)
    with pytest.raises(BackendError, match="no train"):
        labelled(SAMPLE, OTHERS)


def test_messages_are_for_a_person_who_did_not_ask_for_quiet(capsys: pytest.CaptureFixture) -> None:
    labelled(SAMPLE, OTHERS).say("one")
    assert capsys.readouterr().err == ""
    labelled(SAMPLE, OTHERS, quiet=False).say("two")
    bundle, said = capsys.readouterr().err.splitlines()
    assert bundle.startswith("demonstration (DEMONSTRATION)") and said == "two"


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("virus", "all labelled records are viruses"),
        ("others", "no labelled record is a virus"),
        ("", "no record has a"),
    ],
)
def test_records_of_one_class_are_found_before_anything_is_embedded(label: str, says: str, tmp_path: Path) -> None:
    ids = [line[1:].split()[0] for line in SAMPLE.read_text().splitlines() if line.startswith(">")]
    table = tmp_path / "labels.tsv"
    rows = [f"{ids[0]}\t{label}", f"{ids[1]}\t{label}"] if label else ["another\tvirus"]
    table.write_text("\n".join(["id\tlabel", *rows]) + "\n")
    with pytest.raises(InputError, match=f"{says}.*both classes are needed"):
        labelled(SAMPLE, tables=(table,)).check_classes()
    table.write_text(f"id\tlabel\n{ids[0]}\tvirus\n{ids[1]}\tothers\n")
    labelled(SAMPLE, tables=(table,)).check_classes()
