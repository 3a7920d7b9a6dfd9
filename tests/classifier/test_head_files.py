from __future__ import annotations

from pathlib import Path

import pytest
import torch
from classifier.bundles import bundle_of

from virnucpro_tasks.classifier.head_files import HeadFiles, read_record_score
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.sizes import FittedRecordScore

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


def test_values_for_the_score_of_a_record_are_read_from_the_configuration_alone(tmp_path: Path) -> None:
    values = {"intercept": -0.5, "slope": 1, "slope_per_log_frames": 0.25}
    bundle = bundle_of(tmp_path, {}, 2, 3, record_score=values)
    (tmp_path / "head" / "model.safetensors").unlink()
    assert read_record_score(bundle) == RecordScore(FittedRecordScore(-0.5, 1.0, 0.25))


def test_a_head_may_have_no_such_values(tmp_path: Path) -> None:
    assert not read_record_score(bundle_of(tmp_path, {}, 2, 3)).is_fitted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"intercept": 0.0, "slope": 1.0}, "slope_per_log_frames"),
        ({"intercept": 0.0, "slope": -1.0, "slope_per_log_frames": 0.0}, "slope"),
        ({"intercept": 0.0, "slope": 1.0, "slope_per_log_frames": -0.1}, "slope_per_log_frames"),
        ({"intercept": float("nan"), "slope": 1.0, "slope_per_log_frames": 0.0}, "intercept"),
        ({"intercept": 0.0, "slope": float("inf"), "slope_per_log_frames": 0.0}, "slope"),
        ({"intercept": "0", "slope": 1.0, "slope_per_log_frames": 0.0}, "intercept"),
        ({"intercept": 0.0, "slope": 1.0, "slope_per_log_frames": 0.0, "power": 2}, "power"),
        ([0, 1, 0], "record_score"),
    ],
)
def test_values_that_no_fit_gives_are_refused(tmp_path: Path, values: object, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        read_record_score(bundle_of(tmp_path, {}, 2, 3, record_score=values))
