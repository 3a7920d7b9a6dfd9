"""Number of threads that fit a head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from numpy.typing import NDArray

from virnucpro_tasks.system.host import available_cores

SMALL_BYTES = 1 << 28
"""Inputs up to this size are fitted by one thread: their products are so short that threads which wait for each other
take ten times the processor time of one alone."""


@contextmanager
def threads_for(inputs: NDArray) -> Iterator[None]:
    """Limit BLAS and OpenMP, hence scikit-learn and torch, within the block: to the cores that this process may use, or
    to one thread if `inputs` are small.
    """
    # Imported here: a client has none of it.
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1 if inputs.nbytes <= SMALL_BYTES else available_cores()):
        yield
