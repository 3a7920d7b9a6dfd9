"""Recognises weights of the shipped demonstration in a bundle, whatever the bundle says of itself.

A bundle that has one of them is a demonstration too: copied under another name, converted, or with a head of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from virnucpro_tasks.system.file_operations import mappable

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = ("dnabert-s/model.safetensors", "esm2/model.safetensors", "head/model.safetensors")

MOST_DIFFERENCE = 2.0**-7
"""Relative difference up to which numbers count as equal: BF16, the coarsest type of weights, rounds by half of it."""

LEAST_NUMBER = 1e-4
"""Smaller numbers may differ by MOST_DIFFERENCE of this one: half precision rounds them more coarsely."""

_COMPUTED = "inv_freq"
"""Rotary frequencies are computed from the sizes; some files leave them out."""


def shipped_demonstration() -> Path:
    """The folder of the demonstration that ships with the package."""
    return Path(str(files("virnucpro_tasks.models") / "demo_bundle"))


def holds_demonstration(folder: Path) -> bool:
    """Whether one of the weight files of the bundle in `folder` has weights of the shipped demonstration.

    Rounding to FP16 or BF16 does not hide them. Of a model of other sizes only the header of its file is read. A file
    that is missing or damaged holds none; whoever loads it says so.
    """
    shipped = shipped_demonstration()
    return any(_same_weights(folder / name, shipped / name) for name in WEIGHTS)


def _same_weights(file: Path, shipped: Path) -> bool:
    try:
        with (
            mappable(file) as mapped,
            mappable(shipped) as theirs,
            safe_open(mapped, framework="numpy") as stored,
            safe_open(theirs, framework="numpy") as demonstration,
        ):
            names = _shapes(demonstration)
            return _shapes(stored) == names and all(
                _close(stored.get_tensor(name), demonstration.get_tensor(name)) for name in names
            )
    except (SafetensorError, OSError, TypeError):
        return False


def _shapes(stored: Any) -> Mapping[str, tuple[int, ...]]:
    names = (name for name in stored.keys() if not name.endswith(_COMPUTED))  # noqa: SIM118
    return {name: tuple(stored.get_slice(name).get_shape()) for name in names}


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    # Imported here: supervisors and clients read bundles, and nearly none of them gets here.
    import numpy as np

    found, wanted = one.astype(np.float64), other.astype(np.float64)
    return bool((np.abs(found - wanted) <= MOST_DIFFERENCE * np.maximum(np.abs(wanted), LEAST_NUMBER)).all())
