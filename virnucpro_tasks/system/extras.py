"""The optional packages that some commands and functions need."""

from __future__ import annotations

from importlib.util import find_spec

from virnucpro_tasks.errors import BackendError, install_hint

EXTRAS = {
    "worker": ("torch", "tokenizers"),
    "train": ("sklearn", "matplotlib"),
    "reference": ("esm", "transformers"),
    "xlsx": ("xlsxwriter",),
    "hdf5": ("h5py",),
    "pandas": ("pandas",),
    "biopython": ("Bio",),
}
"""The packages by which an extra of this distribution is recognised."""


def require_extra(name: str) -> None:
    """Raise BackendError unless the packages of the extra are installed; imports none of them."""
    missing = [package for package in EXTRAS[name] if find_spec(package) is None]
    if missing:
        raise BackendError(f"this installation has no {' and '.join(missing)}", hint=install_hint(name))
