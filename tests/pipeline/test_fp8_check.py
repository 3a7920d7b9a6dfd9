from __future__ import annotations

import numpy as np

from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline.fp8_check import fp8_check


def test_a_few_hundred_real_frames_judge_and_others_calibrate() -> None:
    bundle = demo_bundle()
    check = fp8_check(bundle)
    assert len(check.proteins) == len(check.nucleotides) == 284 and len(check.calibration) == 122
    assert not set(check.proteins) & set(check.calibration)
    assert all(
        0 <= len(of) - 3 * len(protein) <= 4 for protein, of in zip(check.proteins, check.nucleotides, strict=True)
    )
    description = bundle.description
    scores = check.scores(
        np.zeros((2, description.nucleotide_width), np.float32), np.zeros((2, description.protein_width), np.float32)
    )
    assert scores.shape == (2, 2)
