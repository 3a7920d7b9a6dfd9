"""Intervals of metrics from resampling groups: records of one group are alike, so they are drawn together or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.metrics import FALSE_POSITIVE_RATES, THRESHOLD, ranking

RESAMPLES = 1_000
LEVEL = 0.95
FEWEST_GROUPS = 2
"""Groups of a class; of a single one nothing can be resampled."""

_BLOCK_VALUES = 2_000_000

Interval = tuple[float, float]

RESAMPLED = ("auroc", "precision", "recall", "false_positive_rate", "recall_at_1_percent", "recall_at_5_percent")
"""Metrics that have an interval."""


def intervals(
    scores: NDArray[np.float64], virus: NDArray[np.bool_], groups: Sequence[str], *, seed: int
) -> dict[str, Interval | None]:
    """95 % intervals of the metrics of the same names in `Metrics`, from scores (n,), NaN for a record without one.

    The bootstrap of clusters: of each class as many groups are drawn, with replacement, as it has; the interval is
    between percentiles of RESAMPLES values. None for all if a class has fewer than FEWEST_GROUPS groups, and for a
    metric that is defined in no resample.
    """
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in RESAMPLED}
    if min(len(set(np.array(groups)[virus == kind].tolist())) for kind in (True, False)) < FEWEST_GROUPS:
        return dict.fromkeys(RESAMPLED)
    for weights in resampled(groups, virus, seed=seed):
        for name, values in _metrics(ranking(scores), virus, weights).items():
            drawn[name].append(values)
    return {name: interval_of(np.concatenate(values)) for name, values in drawn.items()}


def resampled(groups: Sequence[str], virus: NDArray[np.bool_], *, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of resamples, (resamples, n) each: how many times each record is drawn, RESAMPLES rows in all."""
    random = np.random.default_rng(seed)
    of_class = [np.flatnonzero(virus == kind) for kind in (True, False)]
    numbers = [np.unique(np.array(groups)[records], return_inverse=True)[1] for records in of_class]
    rows = max(1, _BLOCK_VALUES // max(1, len(virus)))
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        weights = np.zeros((count, len(virus)))
        for records, group in zip(of_class, numbers, strict=True):
            if len(records):
                of_groups = int(group.max()) + 1
                times = random.multinomial(of_groups, np.full(of_groups, 1 / of_groups), size=count)
                weights[:, records] = times[:, group]
        yield weights


def share_interval(chosen: NDArray[np.bool_], groups: Sequence[str], *, seed: int) -> Interval | None:
    """95 % interval of the share of records that are `chosen` (n,); None if there are fewer than FEWEST_GROUPS."""
    if len(set(groups)) < FEWEST_GROUPS:
        return None
    blocks = resampled(groups, np.ones(len(chosen), dtype=bool), seed=seed)
    return interval_of(np.concatenate([weights @ chosen / weights.sum(axis=1) for weights in blocks]))


def mean_interval(values: NDArray[np.float64], *, seed: int) -> Interval | None:
    """95 % interval of the mean of values (n,), one for each group; None if there are fewer than FEWEST_GROUPS."""
    if len(values) < FEWEST_GROUPS:
        return None
    random = np.random.default_rng(seed)
    return interval_of(np.array([random.choice(values, len(values)).mean() for _ in range(RESAMPLES)]))


def interval_of(values: NDArray[np.float64]) -> Interval | None:
    """The interval that holds the middle LEVEL of the values that are numbers; None if there is none."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return round(float(low), 4), round(float(high), 4)


def _metrics(
    scores: NDArray[np.float64], virus: NDArray[np.bool_], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Metrics by resample, (resamples,) each, of records that count `weights` (resamples, n) times."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    # Number of viruses, and of others, with at least each distinct score; both classes are in every resample.
    hits = np.cumsum(weights[:, order] * virus[order], axis=1)[:, ends]
    false = np.cumsum(weights[:, order] * ~virus[order], axis=1)[:, ends]
    recalls, rates = hits / hits[:, -1:], false / false[:, -1:]
    from_zero = np.zeros((len(weights), 1))
    widths = np.diff(rates, axis=1, prepend=from_zero)
    called = np.count_nonzero(scores[order][ends] >= THRESHOLD)
    found, wrong = (values[:, called - 1] if called else from_zero[:, 0] for values in (hits, false))
    with np.errstate(invalid="ignore"):
        precision = found / (found + wrong)
    below = np.hstack([from_zero, recalls])[:, :-1]
    at_rates = [np.where(rates <= rate, recalls, 0).max(axis=1) for rate in FALSE_POSITIVE_RATES]
    values = (
        (widths * (recalls + below) / 2).sum(axis=1),
        precision,
        found / hits[:, -1],
        wrong / false[:, -1],
        *at_rates,
    )
    return dict(zip(RESAMPLED, values, strict=True))
