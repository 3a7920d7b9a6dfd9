"""Runs a module in an isolated interpreter, with nothing to import from but the folders that it is told of.

    python -I start_module.py [--path FOLDER]... MODULE [ARGUMENT]...

`-I` leaves out the current folder, the folder of this script, user site-packages and all PYTHON* variables. The folders
of `--path` come after the standard library and before site-packages. `isolation` makes such commands. Nothing but `os`
and `sys`, which every interpreter has loaded before it looks into any folder, is imported at the top.
"""

from __future__ import annotations

import os
import sys

COLLECTION_THRESHOLD = 20_000
"""New objects after which Python looks for garbage; its default is 700."""


def main() -> None:
    """Take the folders from the command line, then run the module with the arguments after it."""
    folders = []
    while sys.argv[1:2] == ["--path"]:
        folders.append(sys.argv[2])
        del sys.argv[1:3]
    standard = os.path.dirname(os.__file__)
    last = max(place for place, folder in enumerate(sys.path) if _is_standard(folder, standard))
    sys.path[last + 1 : last + 1] = [folder for folder in folders if folder not in sys.path]
    import gc
    import runpy

    # What is imported is no garbage: by default it is looked through a thousand times until torch is there.
    gc.set_threshold(COLLECTION_THRESHOLD)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _is_standard(folder: str, standard: str) -> bool:
    return folder == standard or os.path.basename(folder) == "lib-dynload"


def leave_out_current_folder() -> None:
    """Remove the current folder from `sys.path`, unless this package is in it.

    `python -m` puts it first, and so does an empty entry of PYTHONPATH. For the top of a module that is run as
    `__main__`, before its other imports.
    """
    package_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    try:
        current = os.getcwd()
    except OSError:  # it was removed
        return
    if current not in (package_root, os.path.join(package_root, "workers")):
        sys.path[:] = [folder for folder in sys.path if folder not in ("", current)]


if __name__ == "__main__":
    main()
