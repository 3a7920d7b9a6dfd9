"""A head is refused beside encoders or chunk lengths other than those it was fitted to, however it got there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.layouts import ESM2, HEAD, Tensors, fair_esm_file, random_tensors
from safetensors.torch import load_file, save_file
from torch import float16
from torch import save as torch_save

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.head_files import read_record_score
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.heads.bundles import HeadRequest, write_trained
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.train import HeadKind
from virnucpro_tasks.models.bundle import CARD_FILE, ENCODER_FILES, NO_HEAD, Bundle, describe_bundle, read_bundle
from virnucpro_tasks.models.card import encoder_weights, weights_sha256
from virnucpro_tasks.models.convert import convert_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore
from virnucpro_tasks.models.verification import verify_bundle as verify

RECORD_SCORE = FittedRecordScore(intercept=0.25, slope=1.5, slope_per_log_frames=0.5)
REQUEST = HeadRequest(
    kind=HeadKind.LOGISTIC, hidden=1, seed=1, chunk_length=300, name="fitted", licence="MIT", intended_use="a test"
)


@pytest.fixture
def convert(dnabert_folder: Path, esm2_file: Path, tmp_path: Path) -> Callable[..., Bundle]:
    """Convert the small encoders into a folder of the given name."""

    def call(name: str, **options: Any) -> Bundle:
        given = {"dnabert": dnabert_folder, "esm2": esm2_file, "precision": "fp32", "name": name}
        return convert_bundle(**(given | options), output=tmp_path / name)

    return call


@pytest.fixture
def encoders(convert: Callable[..., Bundle]) -> Bundle:
    return convert("encoders")


@pytest.fixture
def fitted(encoders: Bundle, tmp_path: Path) -> Bundle:
    """The encoders with a head and a card as `virnucpro train` writes them."""
    facts = {
        "nucleotide": "small DNABERT-S",
        "protein": "small ESM-2",
        "sha256": {name: encoders.description.sha256[name] for name in ENCODER_FILES},
        "weights": encoder_weights(encoders.path),
    }
    head = HeadTensors.linear(np.random.default_rng(1).standard_normal(HEAD.width), 0.5)
    card = {"head": {"chunk_length": 300}, "encoders": facts}
    return write_trained(tmp_path / "fitted", encoders, head, RECORD_SCORE, REQUEST, card=card, head_name="logistic")


@pytest.fixture
def other_esm2(tmp_path: Path) -> Path:
    """Other weights of the same shapes."""
    file = tmp_path / "other.pt"
    torch_save(fair_esm_file(random_tensors(ESM2.shapes(), 77), heads=ESM2.heads), file)
    return file


def test_a_bundle_of_encoders_alone(encoders: Bundle) -> None:
    verify(encoders)
    description = read_bundle(encoders.path).description
    assert not description.has_head
    assert (description.head, description.chunk_length) == (NO_HEAD, 500)
    with pytest.raises(BundleError, match="virnucpro train"):
        load_head(encoders)


def test_weights_are_known_however_they_are_stored(encoders: Bundle, convert: Callable[..., Bundle]) -> None:
    half = convert("half", dtype="fp16")
    assert half.description.sha256["esm2/model.safetensors"] != encoders.description.sha256["esm2/model.safetensors"]
    assert encoder_weights(half.path) == encoder_weights(encoders.path)


@pytest.mark.parametrize("change", ["value", "name", "shape"])
def test_other_weights_have_another_digest(change: str, encoders: Bundle, tmp_path: Path) -> None:
    file = encoders.path / "esm2/model.safetensors"
    tensors: Tensors = load_file(file)
    name = "layers.0.fc1.bias"
    if change == "value":
        tensors[name][3] += 0.01
    elif change == "name":
        tensors["layers.9.fc1.bias"] = tensors.pop(name)
    else:
        tensors[name] = tensors[name][None]
    save_file(tensors, tmp_path / "changed.safetensors")
    assert weights_sha256(tmp_path / "changed.safetensors") != weights_sha256(file)


def test_a_head_goes_to_the_same_encoders_stored_otherwise(fitted: Bundle, convert: Callable[..., Bundle]) -> None:
    moved = convert("moved", head=fitted.path, dtype="fp16")
    assert moved.description.chunk_length == 300
    card = json.loads((moved.path / CARD_FILE).read_text())
    assert card["encoders"]["sha256"]["esm2/model.safetensors"] == moved.description.sha256["esm2/model.safetensors"]
    vectors = np.random.default_rng(3).standard_normal((5, HEAD.width), dtype=np.float32)
    scores = [load_head(one).scores(vectors[:, :24], vectors[:, 24:]) for one in (moved, fitted)]
    np.testing.assert_array_equal(*scores)
    assert read_record_score(moved).fitted == read_record_score(fitted).fitted == RECORD_SCORE


def test_all_parts_may_come_from_bundles(fitted: Bundle, convert: Callable[..., Bundle]) -> None:
    again = convert("again", dnabert=fitted.path, esm2=fitted.path, head=fitted.path)
    assert (
        load_file(again.path / "esm2/model.safetensors").keys()
        == load_file(fitted.path / "esm2/model.safetensors").keys()
    )
    assert encoder_weights(again.path) == encoder_weights(fitted.path)


def test_the_demonstration_can_be_put_together_again_and_takes_no_other_esm2(
    convert: Callable[..., Bundle], other_esm2: Path
) -> None:
    demo = Path("demo")
    again = convert("again", dnabert=demo, esm2=demo, head=demo, dtype="fp16")
    assert read_bundle(again.path).description.chunk_length == 500
    with pytest.raises(BundleError, match="this head takes 320"):
        convert("wrong", dnabert=demo, esm2=other_esm2, head=demo)


def test_a_head_of_other_encoders_is_refused_with_those_that_fit(
    fitted: Bundle, convert: Callable[..., Bundle], other_esm2: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError) as refused:
        convert("wrong", esm2=other_esm2, head=fitted.path)
    weights = encoder_weights(fitted.path)
    for part in ("your esm2", "small ESM-2", weights["esm2"][:12], weights["dnabert-s"][:12], "chunks of 300"):
        assert part in str(refused.value)
    assert "virnucpro train" in refused.value.hint
    assert not (tmp_path / "wrong").exists()


def test_a_head_of_another_chunk_length_is_refused(fitted: Bundle, convert: Callable[..., Bundle]) -> None:
    with pytest.raises(BundleError, match="fitted to chunks of 300 bases, not 500"):
        convert("wrong", head=fitted.path, chunk_length=500)


def test_a_head_without_a_card_needs_a_chunk_length(
    fitted: Bundle, convert: Callable[..., Bundle], tmp_path: Path
) -> None:
    bare = Path(shutil.copy(fitted.path / "head/model.safetensors", tmp_path / "bare.safetensors"))
    with pytest.raises(BundleError, match="how long were the chunks"):
        convert("wrong", head=bare)
    assert convert("right", head=bare, chunk_length=300).description.chunk_length == 300


def test_a_head_of_another_width_names_its_encoders(
    fitted: Bundle, convert: Callable[..., Bundle], tmp_path: Path
) -> None:
    wide = type(ESM2)(layers=1, width=48, heads=3)
    torch_save(fair_esm_file(random_tensors(wide.shapes(), 7), heads=3), tmp_path / "wide.pt")
    with pytest.raises(BundleError, match=r"takes 48 .*need a head that takes 72; it fits small DNABERT-S"):
        convert("wrong", esm2=tmp_path / "wide.pt", head=fitted.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chunk_length": 500}, "fitted to chunks of 300 bases, not 500"),
        ({}, "esm2/model.safetensors differs; it fits small DNABERT-S"),
    ],
)
def test_a_head_put_beside_other_encoders_by_hand_is_found_by_reading(
    change: dict[str, int], message: str, fitted: Bundle, tmp_path: Path
) -> None:
    mixed = Path(shutil.copytree(fitted.path, tmp_path / "mixed"))
    if not change:
        tensors = {name: value.to(float16) for name, value in load_file(mixed / "esm2/model.safetensors").items()}
        save_file(tensors, mixed / "esm2/model.safetensors")
    facts = json.loads((mixed / "bundle.json").read_text()) | change
    for entry in ("sha256", "format_version"):
        del facts[entry]
    describe_bundle(mixed, **facts)
    with pytest.raises(BundleError, match=message):
        read_bundle(mixed)


@pytest.mark.parametrize("content", ["[]", "{}", '{"head": {}, "encoders": {"sha256": {}}}', "no JSON"])
def test_a_card_that_says_nothing_is_refused(content: str, fitted: Bundle) -> None:
    (fitted.path / CARD_FILE).write_text(content)
    with pytest.raises(BundleError, match=CARD_FILE):
        read_bundle(fitted.path)
