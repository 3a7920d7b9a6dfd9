"""Finds the bundle that the setting `bundle` names."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import Bundle, read_bundle

DEMONSTRATION = "demo"


def find_bundle(name: str | None) -> Bundle:
    """The bundle in folder `name`, or the shipped demonstration for 'demo'. Raises BundleError."""
    if not name:
        raise BundleError(
            "no model bundle is set",
            hint="give --bundle FOLDER, or --bundle demo for the shipped demonstration",
        )
    return demo_bundle() if name == DEMONSTRATION else read_bundle(Path(name))


def demo_bundle() -> Bundle:
    """The demonstration that ships with the package. Raises BundleError if the installation lacks it."""
    return read_bundle(Path(str(files("virnucpro_tasks.models") / "demo_bundle")))
