"""Keeps Arrow from importing pandas, which it does with its first array although nothing here needs it."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

import numpy as np
import pyarrow as pa

NAME = "pandas"


class _NotFound(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == NAME:
            raise ModuleNotFoundError(f"No module named {NAME!r}", name=NAME)


def settle_without_pandas() -> None:
    """Let Arrow look for pandas once, in vain: half a second of each process, which a device would wait.

    Arrow looks once in the life of a process. Others can import pandas after that; only Arrow's conversions of its
    objects are then left out. Nothing changes in a process that has pandas already.
    """
    if NAME in sys.modules:
        return
    nothing = _NotFound()
    sys.meta_path.insert(0, nothing)
    try:
        pa.array([])
        pa.array(np.zeros(1))  # numpy.ma is imported with the first one of these
    finally:
        sys.meta_path.remove(nothing)
