from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.weights import LEAST_DEVIATION, frame_weights, group_weights, standardisation

Make = Callable[..., Examples]


def test_frames_count_so_that_records_and_classes_do_alike(make_examples: Make) -> None:
    examples = make_examples(groups=31, records=3)
    weights = frame_weights(examples)
    by_record = np.bincount(examples.record, weights=weights)
    for virus in (True, False):
        of_class = by_record[examples.virus == virus]
        np.testing.assert_allclose(of_class, of_class[0])
        assert of_class.sum() == pytest.approx(weights.sum() / 2)


def test_groups_count_alike_in_calibration(make_examples: Make) -> None:
    examples = make_examples(groups=31, records=3)
    doubled = replace(examples, labels=[replace(label, group=label.group[:2]) for label in examples.labels])
    for some in (examples, doubled):
        weights, observations = group_weights(some.virus, some.groups)
        of = [(label.virus, label.group) for label in some.labels]
        sums = {one: sum(weight for weight, other in zip(weights, of, strict=True) if other == one) for one in of}
        for virus in (True, False):
            values = [value for (kind, _), value in sums.items() if kind == virus]
            assert sum(values) == pytest.approx(0.5)
            np.testing.assert_allclose(values, values[0])
        assert observations == 2 * min(sum(kind == virus for kind, _ in sums) for virus in (True, False))


def test_a_constant_column_is_not_divided_by_nothing() -> None:
    mean, deviation = standardisation(np.array([[1, 5], [3, 5]], np.float32))
    assert mean.tolist() == [2, 5] and deviation.tolist() == [1, LEAST_DEVIATION]
