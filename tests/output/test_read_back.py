from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.output.read_back import read_back, read_number


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0.12100530415773392", "0.1210053041577339"),
        ("0.9988405108451843", "0.9988405108451844"),
        ("0.9199240207672119", "0.919924020767212"),
        ("0.22702862322330475", "0.2270286232233047"),
        ("1.1339166121615563e-05", "1.1339166121615564e-05"),
        ("2.1371777620515786e-05", "2.1371777620515783e-05"),
        ("1.3419463574011075e-15", "1.3419463574011077e-15"),
        ("1.0", "1.0"),
        ("0.0", "0.0"),
        ("0.5", "0.5"),
    ],
)
def test_scores_are_read_back_as_pandas_2_reads_them(written: str, read: str) -> None:
    assert repr(read_number(written)) == read


def test_many_scores_are_read_as_each_of_them_is() -> None:
    random = np.random.default_rng(0)
    edges = [0, 1, 1e-4, 9.9999e-5, 1e-5, 1e-7, 1e-30, 0.5, 0.1, 0.9007, 0.99999994]
    scores = np.concatenate([edges, random.random(10_000), random.random(10_000) ** 8]).astype(np.float32)
    assert read_back(scores).tolist() == [read_number(repr(score)) for score in scores.tolist()]
    assert read_back(scores[:0]).tolist() == []
