from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from classifier.bundles import bundle_of

from virnucpro_tasks.classifier import head
from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.head_files import HeadFiles
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import ENCODER_FILES, Bundle
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline.score import frame_scores
from virnucpro_tasks.shards.vectors import ShardVectors


@dataclass(frozen=True)
class Threshold:
    """A kind of head for this test: a virus is what has a first number above a limit."""

    limit: float
    slope: float

    @classmethod
    def of(cls, files: HeadFiles) -> Threshold:
        if files.tensors["limit"].shape != (1,):
            raise BundleError("limit: expected one number", path=files.path)
        return cls(float(files.tensors["limit"][0]), files.configuration["slope"])

    def scores(self, nucleotide: np.ndarray, protein: np.ndarray) -> np.ndarray:
        virus = 1 / (1 + np.exp(-self.slope * (nucleotide[:, 0] - self.limit)))
        return np.stack([1 - virus, virus], axis=1).astype(np.float32)


def threshold_bundle(folder: Path, size: int = 1) -> Bundle:
    return bundle_of(folder, {"limit": torch.full((size,), 0.5)}, 2, 3, kind="threshold", slope=9.0)


def test_another_kind_of_head_scores_once_it_is_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(head.KINDS, "threshold", Threshold.of)
    rows = np.arange(2, dtype=np.int32)
    vectors = ShardVectors(np.array([[0, 0], [1, 0]], np.float32), np.zeros((2, 3), np.float32), rows, rows)
    scores = frame_scores(load_head(threshold_bundle(tmp_path)), vectors)
    assert scores.dtype == np.float32 and (scores[:, 1] > 0.5).tolist() == [False, True]
    with pytest.raises(BundleError, match="expected one number"):
        load_head(threshold_bundle(tmp_path / "other", size=2))


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"config\.json: a head of the kind 'threshold' is not known, only mlp"):
        load_head(threshold_bundle(tmp_path))


def test_a_bundle_without_a_head_is_refused() -> None:
    shipped = demo_bundle()
    encoders = {name: shipped.description.sha256[name] for name in ENCODER_FILES}
    with pytest.raises(BundleError, match="has no head, so it scores nothing"):
        load_head(Bundle(shipped.path, msgspec.structs.replace(shipped.description, sha256=encoders)))


def test_needs_no_torch() -> None:
    code = (
        "import sys; from virnucpro_tasks.classifier.head import load_head;"
        "from virnucpro_tasks.models.locate import demo_bundle;"
        "load_head(demo_bundle()); sys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
