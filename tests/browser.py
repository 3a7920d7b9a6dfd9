"""A Chromium without a window, for tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from needs import browser_program, missing


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright, which drives the Chromium of the system."""
    program = browser_program()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed (make .venv/dev)")
    with sync_playwright() as started:
        # Root, as in a container, has no sandbox.
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
