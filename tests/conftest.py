"""What all tests share: the folder of real data and how to do without it, and settings of a store of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from virnucpro_tasks.settings import Settings

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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a store of the test's own and the demonstration bundle."""
    return Settings(store=tmp_path / "store", bundle="demo")
