from __future__ import annotations

from collections.abc import Callable

import numpy as np

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.logistic import fit_logistic

Make = Callable[..., Examples]


def test_the_log_odds_are_linear_and_tell_the_classes_apart(make_examples: Make) -> None:
    train, validation = make_examples(groups=40, distance=2.0), make_examples(groups=20, distance=2.0, seed=1)
    head = fit_logistic(train, validation)
    joined = validation.joined
    middle = (joined[:1] + joined[1:2]) / 2
    np.testing.assert_allclose(head.log_odds(middle), head.log_odds(joined[:2]).mean(), rtol=1e-4)
    assert ((head.log_odds(joined) > 0) == validation.virus[validation.record]).mean() > 0.9
