"""Finds bundles: the one that the setting `bundle` names, the shipped demonstration, and those in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from virnucpro_tasks.errors import BundleError, SettingsError
from virnucpro_tasks.models.bundle import DESCRIPTION_FILE, Bundle, read_bundle
from virnucpro_tasks.models.demonstration import shipped_demonstration
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.verification import verify_bundle, verify_once
from virnucpro_tasks.system.file_operations import copy_file, make_folder

DEMONSTRATION = "demo"


def find_bundle(name: str | None, *, announce: Callable[[int], None] | None = None) -> Bundle:
    """The bundle in folder `name`, or the shipped demonstration for 'demo', whose files are as its bundle.json says.

    `announce` is called with a number of bytes before many are hashed. Raises BundleError.
    """
    bundle = locate_bundle(name)
    verify_once(bundle, announce=announce)
    return bundle


def locate_bundle(name: str | None) -> Bundle:
    """`find_bundle` without digests: for whoever needs the description, or hashes or loads the files itself.

    Raises SettingsError for no name, BundleError.
    """
    if not name:
        raise SettingsError(
            "no model bundle is set",
            hint="give --bundle FOLDER, or --bundle demo for the shipped demonstration",
        )
    return demo_bundle() if name == DEMONSTRATION else read_bundle(Path(name))


def demo_bundle() -> Bundle:
    """The demonstration that ships with the package. Raises BundleError if the installation lacks it."""
    return read_bundle(shipped_demonstration())


def copy_demo_bundle(output: Path) -> None:
    """Copy the demonstration into the new folder `output`. Raises OutputError, BundleError."""
    bundle = demo_bundle()
    with new_folder(output) as folder:
        for name in (*bundle.description.sha256, DESCRIPTION_FILE):
            make_folder((folder / name).parent)
            copy_file(bundle.path / name, folder / name)
        verify_bundle(read_bundle(folder))


def bundles_in(folder: Path) -> list[Bundle]:
    """The bundle that `folder` is, or those inside it, by name. Raises BundleError."""
    if not folder.is_dir():
        raise BundleError("no such folder", path=folder)
    if (folder / DESCRIPTION_FILE).exists():
        return [read_bundle(folder)]
    # A name that begins with a dot is a bundle that is still being written.
    return [
        read_bundle(file.parent)
        for file in sorted(folder.glob(f"*/{DESCRIPTION_FILE}"))
        if not file.parent.name.startswith(".")
    ]
