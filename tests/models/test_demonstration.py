from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from virnucpro_tasks.models.bundle import DESCRIPTION_FILE, read_bundle, read_description
from virnucpro_tasks.models.convert import convert_bundle
from virnucpro_tasks.models.demo import build_demo_bundle
from virnucpro_tasks.models.demonstration import WEIGHTS, holds_demonstration, shipped_demonstration
from virnucpro_tasks.models.locate import demo_bundle

RANDOM_DNA = "".join(np.random.default_rng(5).choice(list("ACGT"), 4_000))


@pytest.fixture(scope="module")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of other weights with the sizes of `models demo --rebuild`, not marked."""
    folder = tmp_path_factory.mktemp("random") / "bundle"
    build_demo_bundle(folder, sequences=[RANDOM_DNA])
    unmark(folder)
    return folder


def unmark(folder: Path) -> Path:
    """Let bundle.json say that this is no demonstration, and call it something else."""
    file = folder / DESCRIPTION_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | {"demonstration": False, "name": "esm2-3b-500"}))
    return folder


def other(folder: Path, weights: str, dtype: torch.dtype) -> None:
    """Store `weights` of the bundle in another number type, without computed frequencies."""
    file = folder / weights
    stored = {name: tensor.to(dtype) for name, tensor in load_file(file).items() if not name.endswith("inv_freq")}
    save_file({name: tensor.to(torch.float32) for name, tensor in stored.items()}, file)


def test_a_copy_is_one_whatever_it_says(tmp_path: Path) -> None:
    copied = unmark(Path(shutil.copytree(shipped_demonstration(), tmp_path / "esm2-3b-500")))
    assert not read_description(copied).demonstration
    found = read_bundle(copied).description
    assert found.demonstration and found.label == "esm2-3b-500 (DEMONSTRATION)"


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_one_part_of_it_is_enough_in_any_number_type(
    random_bundle: Path, tmp_path: Path, weights: str, dtype: torch.dtype
) -> None:
    mixed = Path(shutil.copytree(random_bundle, tmp_path / "mixed"))
    shutil.copy(shipped_demonstration() / weights, mixed / weights)
    if not weights.startswith("head") or dtype is not torch.float16:
        other(mixed, weights, dtype)
    assert holds_demonstration(mixed)


def test_other_weights_are_none(random_bundle: Path) -> None:
    assert not holds_demonstration(random_bundle)
    assert not read_bundle(random_bundle).description.demonstration


@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights_of_the_same_sizes_that_were_trained_further_are_none(tmp_path: Path, weights: str) -> None:
    # Given a folder with this part alone, one number in it changed by a tenth
    (tmp_path / weights).parent.mkdir()
    with safe_open(shipped_demonstration() / weights, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / weights)
    assert holds_demonstration(tmp_path)
    name = max((name for name in tensors if not name.endswith("inv_freq")), key=lambda name: tensors[name].numel())
    changed = tensors[name].clone().reshape(-1)
    changed[int(changed.abs().argmax())] *= 1.1
    save_file(tensors | {name: changed.reshape(tensors[name].shape)}, tmp_path / weights)
    assert not holds_demonstration(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no safetensors"])
def test_a_damaged_file_is_left_to_whoever_loads_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "esm2").mkdir()
    (tmp_path / "esm2/model.safetensors").write_bytes(content)
    assert not holds_demonstration(tmp_path)


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
@pytest.mark.parametrize("marked", ["dnabert", "esm2"])
def test_what_is_converted_from_a_part_of_it_is_one(tmp_path: Path, marked: str, dtype: str) -> None:
    # Given the weight file of one encoder, copied away from its bundle, beside the other one from a random bundle
    other_bundle = tmp_path / "other"
    build_demo_bundle(other_bundle, sequences=[RANDOM_DNA])
    unmark(other_bundle)
    parts = {"dnabert": "dnabert-s", "esm2": "esm2"}
    away = tmp_path / "away"
    shutil.copytree(shipped_demonstration() / parts[marked], away)
    given = {name: other_bundle / part for name, part in parts.items()} | {marked: away}
    made = convert_bundle(name="esm2-3b-500", output=tmp_path / "made", precision="bf16", dtype=dtype, **given)
    assert made.description.demonstration and read_description(made.path).demonstration


@pytest.mark.parametrize("place", ["", "esm2", "esm2/model.safetensors"])
def test_what_is_converted_from_a_marked_bundle_is_marked(random_bundle: Path, tmp_path: Path, place: str) -> None:
    build_demo_bundle(tmp_path / "marked", sequences=[RANDOM_DNA], seed=9)
    esm2 = tmp_path / "marked" / place
    made = convert_bundle(name="mine", dnabert=random_bundle, esm2=esm2, output=tmp_path / "made", precision="fp16")
    assert made.description.demonstration
    unmarked = convert_bundle(
        name="mine", dnabert=random_bundle, esm2=random_bundle, output=tmp_path / "unmarked", precision="fp16"
    )
    assert not unmarked.description.demonstration


def test_the_shipped_bundle_says_itself_that_it_is_one() -> None:
    assert demo_bundle().description.demonstration and holds_demonstration(shipped_demonstration())
