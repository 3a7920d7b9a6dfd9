"""What all tests share: the folder of real data, and how to do without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real inputs and reference outputs beside the checkout; never part of it."""
    if not SHARED.is_dir():
        reason = "no shared/ folder with reference data beside the checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED
