"""Another build of this package beside it: a copy with a line more, for hosts of another version."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from virnucpro_tasks.system import start_module
from virnucpro_tasks.system.isolation import WORKERS_PACKAGE, import_folders, own_folders

PACKAGE = Path(__file__).resolve().parents[1]
CHANGED = Path("shards", "kinds.py")
"""A module that results depend on; the line that is added to it changes none."""

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "demo_bundle")


def make_other_build(folder: Path) -> Path:
    """Copy this package and that of the workers into `folder`, as another build; returns `folder`."""
    copy = folder / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=_LEFT_OUT)
    (copy / "models" / "demo_bundle").symlink_to(PACKAGE / "models" / "demo_bundle")
    (workers,) = (place for own in own_folders() if (place := Path(own, WORKERS_PACKAGE)).is_dir())
    shutil.copytree(workers, folder / WORKERS_PACKAGE, ignore=_LEFT_OUT)
    with (copy / CHANGED).open("a") as module:
        module.write("\nOTHER_BUILD = True\n")
    return folder


def other_build_command(folder: Path, module: str, *arguments: str) -> list[str]:
    """Return the command line that runs `module` of the build in `folder`, as `isolated_command` does for this one."""
    start = folder / Path(start_module.__file__).relative_to(PACKAGE.parent)
    others = [place for place in import_folders() if place not in own_folders()]
    folders = [word for place in (str(folder), *others) for word in ("--path", place)]
    return [sys.executable, "-I", str(start), *folders, module, *arguments]
