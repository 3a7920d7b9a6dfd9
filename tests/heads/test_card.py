from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from virnucpro_tasks.heads.card import model_card
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import PARTS, TEST
from virnucpro_tasks.heads.splits import split_records
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.train import Fitted
from virnucpro_tasks.jobs.staging import StagedInput
from virnucpro_tasks.models.bundle import CARD_FILE
from virnucpro_tasks.models.card import read_card
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore, FittedSegments
from virnucpro_tasks.system.files import write_json

Make = Callable[..., Examples]


def test_a_card_has_the_figures_of_the_test_part_and_no_path(make_examples: Make, tmp_path: Path) -> None:
    examples = make_examples(groups=40)
    parts = split_records(examples.labels, seed=1)
    scores = np.full(len(examples.ids), np.nan)
    scores[parts[TEST]] = examples.virus[parts[TEST]]
    head = HeadTensors.linear(np.zeros(16), 0.0)
    fitted = Fitted(head, FittedRecordScore(0.5, 1.0, 0.25), parts, 1 - scores, scores)
    card = model_card(
        examples,
        fitted,
        kind="mlp",
        encoders=demo_bundle(),
        inputs=[StagedInput("private/reads.fasta", 3, "0" * 64)],
        chunk_length=500,
        seed=1,
        intended_use="a test",
    )
    assert tuple(card["parts"]) == PARTS == ("train", "validation", "calibrate", "test")
    assert card["unseen_groups"]["auroc"] == 1 and card["unseen_groups"]["records"] == len(parts[TEST])
    assert card["unseen_groups_by_mean_viral_score"]["auroc"] == 0
    assert card["record_score"]["slope"] == 1 and "(1 + 0.25 * ln(frames))" in card["record_score"]["formula"]
    assert set(card["test_groups"]) == {examples.labels[record].group for record in parts[TEST]}
    assert card["data"][0]["name"] == "reads.fasta"
    write_json(tmp_path / "card.json", card)
    assert read_card(tmp_path / "card.json").head.chunk_length == 500


def test_a_card_has_figures_with_segments_of_a_head_that_was_fitted_to_them(make_examples: Make) -> None:
    examples = make_examples(groups=40)
    parts = split_records(examples.labels, seed=1)
    right = examples.virus.astype(float)
    values = FittedRecordScore(0.5, 1.0, 0.25, segments=FittedSegments(0.5, 0.0, 0.75))
    fitted = Fitted(HeadTensors.linear(np.zeros(16), 0.0), values, parts, right, 1 - right, right)
    card = model_card(
        examples, fitted, kind="mlp", encoders=demo_bundle(), inputs=[], chunk_length=500, seed=1, intended_use="a test"
    )
    assert card["unseen_groups"]["auroc"] == 0
    assert card["unseen_groups_covered_by_segments"]["auroc"] == 1
    assert card["unseen_groups_covered_by_segments_by_length"].keys() == card["unseen_groups_by_length"].keys()
    assert card["record_score"]["segments"] == {"slope": 0.5, "intercept": 0.0, "weight": 0.75}
    assert "without_frames" not in card["record_score"]


def test_a_card_of_an_older_version_is_read(tmp_path: Path) -> None:
    card = json.loads((demo_bundle().path / CARD_FILE).read_text())
    parts = card["parts"]
    card["parts"] = {"train": parts["train"], "stop": parts["validation"], "judge": parts["test"]}
    older = {name: value for name, value in card.items() if name != "record_score" and "covered" not in name}
    file = tmp_path / "card.json"
    file.write_text(json.dumps(older))
    assert read_card(file).head.chunk_length == 500
