from __future__ import annotations

from collections.abc import Callable

import numpy as np

from virnucpro_tasks.heads.calibration import calibrate, sigmoid
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.metrics import calibration_error
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.train import HeadKind, fit_head

Make = Callable[..., Examples]


def test_calibration_makes_the_mean_of_a_record_right(make_examples: Make) -> None:
    examples = make_examples(groups=600, distance=0.5)
    fitted = fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1)
    loud = fitted.head.calibrated(6.0, 2.0)

    def error(head: HeadTensors) -> float:
        return calibration_error(examples.means(sigmoid(head.log_odds(examples.joined))), examples.virus)

    assert error(loud) > 0.1
    assert error(calibrate(loud, examples)) < 0.05


def test_few_groups_move_scores_less_than_many(make_examples: Make) -> None:
    loud = fit_head(make_examples(groups=400), kind=HeadKind.LOGISTIC, hidden=1, seed=1).head.calibrated(4.0, 0.0)
    ratios = [
        calibrate(loud, make_examples(groups=groups, distance=0.3, seed=8)).output[0, 0] / loud.output[0, 0]
        for groups in (4, 400)
    ]
    assert ratios[1] < 0.6
    assert 0.8 < ratios[0] < 1.25


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e4, 0, 1e4])).tolist() == [0, 0.5, 1]
