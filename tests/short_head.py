"""A bundle of the demonstration's encoders whose head has a part for short records."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from virnucpro_tasks.heads.bundles import HeadRequest, write_trained
from virnucpro_tasks.heads.short_records import ShortPart
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.train import HeadKind
from virnucpro_tasks.models.bundle import ENCODER_FILES, Bundle
from virnucpro_tasks.models.card import encoder_weights
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore

BELOW = 300
SCORE = FittedRecordScore(
    intercept=-0.125, slope=0.75, slope_per_log_frames=0.3, slope_per_squared_log_frames=0.1, scale_variance=0.05
)


def short_head_bundle(output: Path) -> Bundle:
    """A new bundle in `output`, of made-up weights."""
    encoders = demo_bundle()
    description = encoders.description
    random = np.random.default_rng(2)
    nucleotide, protein = description.nucleotide_width, description.protein_width
    head = HeadTensors.linear(random.standard_normal(nucleotide + protein) / 5, 0.1)
    part = ShortPart(BELOW, HeadTensors.linear(random.standard_normal(nucleotide) / 5, -0.2), {})
    digests = {name: description.sha256[name] for name in ENCODER_FILES}
    card = {
        "head": {"chunk_length": 500, "nucleotides_below": BELOW},
        "encoders": {"sha256": digests, "weights": encoder_weights(encoders.path)},
    }
    request = HeadRequest(
        kind=HeadKind.LOGISTIC, hidden=1, seed=1, chunk_length=500, name="mine", licence="MIT", intended_use="a test"
    )
    return write_trained(output, encoders, head, SCORE, request, short=part, card=card, head_name="made up")
