"""The engine compared with the references: it passes, and a broken one does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from virnucpro_tasks import parity as module
from virnucpro_tasks.embed.engine import EngineOptions
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.parity import Frame, frames_to_compare, parity
from virnucpro_tasks.reference.comparison import Limits

OPTIONS = EngineOptions("cpu", "fp32", "sdpa", token_budget=None, threads=1)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return frames_to_compare([], chunk_length=300, most=12)


def report_of(frames: list[Frame]) -> dict:
    pytest.importorskip("esm")
    pytest.importorskip("transformers")
    return parity(demo_bundle(), frames, OPTIONS, reference_device="cpu", limits=Limits())


def test_frames_are_spread_over_the_input_and_told_by_their_place(frames: list[Frame]) -> None:
    assert len(frames) == 12 and len({frame.record_id for frame in frames}) > 6
    assert all(frame.name in ("F1", "F2", "F3", "R1", "R2", "R3") and frame.chunk > 0 for frame in frames)


def test_an_input_with_too_few_frames_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "closed.fa"
    file.write_text(">a\n" + "CTAGCTAACGCTTACTAA" * 25 + "\n")
    with pytest.raises(InputError, match="0 open frames in chunks of 500 bases"):
        frames_to_compare([file], chunk_length=500, most=10)


def test_the_engine_agrees_with_all_references(frames: list[Frame]) -> None:
    report = report_of(frames)
    assert report["passes"] and report["frames"] == 12 and len(report["worst"]) == 10
    assert [(row["model"], row["reference"]) for row in report["vectors"]] == [
        *(("DNABERT-S", "plain code"), ("ESM-2", "fair-esm"), ("ESM-2", "transformers"))
    ]
    assert min(row["centred_cosine_minimum"] for row in [*report["vectors"], report["references"]]) > 1 - 1e-9
    assert report["scores"]["labels_changed"] == 0 and report["scores"]["largest_change"] < 2e-6


def test_a_wrong_engine_does_not_pass(frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    right = module._engine_vectors

    def wrong(*given: object) -> object:
        found, attention = right(*given)  # type: ignore[arg-type]
        found.protein[:] = np.roll(found.protein, 1, axis=0)
        return found, attention

    monkeypatch.setattr(module, "_engine_vectors", wrong)
    assert not report_of(frames)["passes"]
