"""An interpreter whose processes suffer from the faults of `faults/`, as long as TEST_FAULTS is set.

Workers start isolated, so that no variable makes them import anything; what is installed beside them they do import.
"""

from __future__ import annotations

import sysconfig
import tempfile
import venv
from functools import cache
from pathlib import Path
from shutil import copy

FAULTS = Path(__file__).resolve().parent / "faults" / "faults_of_tests.py"

_folder = tempfile.TemporaryDirectory(prefix="faulty-python-", ignore_cleanup_errors=True)


@cache
def faulty_python() -> Path:
    """Make a virtual environment that has all packages of this one, and the faults; once in a process."""
    folder = Path(_folder.name)
    venv.create(folder, symlinks=True)
    variables = {"base": str(folder), "platbase": str(folder)}
    site_packages = Path(sysconfig.get_path("purelib", "venv", variables))
    copy(FAULTS, site_packages)
    # No sitecustomize: some systems have one of their own, which comes first.
    (site_packages / "faults.pth").write_text(f"import {FAULTS.stem}\n")
    (site_packages / "packages.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder / "bin" / "python"
