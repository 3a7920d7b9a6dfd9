from __future__ import annotations

from pathlib import Path

import pytest
import torch
from classifier.bundles import bundle_of

from virnucpro_tasks.classifier.head_files import HeadFiles
from virnucpro_tasks.errors import BundleError

FILES = ("config.json", "model.safetensors")


def test_kind_configuration_and_tensors_are_read(tmp_path: Path) -> None:
    files = HeadFiles.read(bundle_of(tmp_path, {"weight": torch.ones(2, 3)}, 2, 3, kind="linear", steps=7))
    assert (files.kind, files.configuration["steps"], files.tensors["weight"].shape) == ("linear", 7, (2, 3))
    assert files.tensors["weight"].dtype == float


def test_a_head_without_a_kind_is_of_the_published_one(tmp_path: Path) -> None:
    assert HeadFiles.read(bundle_of(tmp_path, {}, 2, 3)).kind == "mlp"


@pytest.mark.parametrize("name", FILES)
def test_changed_file_is_refused(tmp_path: Path, name: str) -> None:
    bundle = bundle_of(tmp_path, {"weight": torch.ones(2)}, 2, 3)
    file = tmp_path / "head" / name
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match="digest"):
        HeadFiles.read(bundle)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    bundle = bundle_of(tmp_path, {"weight": torch.ones(2)}, 2, 3)
    (tmp_path / "head" / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: No such file"):
        HeadFiles.read(bundle)


def test_classes_in_another_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="classes must be others, virus"):
        HeadFiles.read(bundle_of(tmp_path, {}, 2, 3, classes=["virus", "others"]))
