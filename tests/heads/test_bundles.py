from __future__ import annotations

from pathlib import Path

import numpy as np

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.head_files import read_record_score
from virnucpro_tasks.heads.bundles import HeadRequest, write_trained
from virnucpro_tasks.heads.calibration import sigmoid
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.train import HeadKind
from virnucpro_tasks.models.bundle import CARD_FILE, ENCODER_FILES
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore
from virnucpro_tasks.models.verification import verify_bundle


def test_the_written_bundle_scores_as_the_fit_did(tmp_path: Path) -> None:
    encoders = demo_bundle()
    widths = encoders.description.nucleotide_width, encoders.description.protein_width
    head = HeadTensors.linear(np.random.default_rng(2).standard_normal(sum(widths)), 0.1)
    digests = {name: encoders.description.sha256[name] for name in ENCODER_FILES}
    card = {"head": {"chunk_length": 300}, "encoders": {"sha256": digests}}
    request = HeadRequest(
        kind=HeadKind.LOGISTIC, hidden=1, seed=1, chunk_length=300, name="mine", licence="MIT", intended_use="a test"
    )
    values = FittedRecordScore(intercept=-0.125, slope=0.75, slope_per_log_frames=0.3)
    bundle = write_trained(tmp_path / "bundle", encoders, head, values, request, card=card, head_name="logistic")
    verify_bundle(bundle)
    assert read_record_score(bundle).fitted == values
    assert CARD_FILE in bundle.description.sha256 and bundle.description.demonstration
    vectors = np.random.default_rng(3).standard_normal((50, sum(widths)), dtype=np.float32)
    scores = load_head(bundle).scores(vectors[:, : widths[0]], vectors[:, widths[0] :])
    np.testing.assert_allclose(scores[:, 1], sigmoid(head.log_odds(vectors)), atol=1e-5)
    assert (bundle.path / "esm2/model.safetensors").read_bytes() == (
        encoders.path / "esm2/model.safetensors"
    ).read_bytes()
    assert "kind" not in (bundle.path / "head/config.json").read_text()
