"""Building the library that makes system calls fail."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from needs import missing

SOURCE = Path(__file__).with_name("shim.c")


def build_shim(folder: Path) -> Path:
    """Compile shim.c into `folder`; skips the test where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        missing("no C compiler for tests/filesystem/shim.c")
    library = folder / "shim.so"
    flags = ["-shared", "-fPIC", "-Wno-nonnull-compare"]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


def faulty(library: Path, root: Path, faults: str = "") -> dict[str, str]:
    """Variables with which a program sees `faults` of the file system in the folder `root`."""
    return {"LD_PRELOAD": str(library), "SHIM_ROOT": str(root), "SHIM": faults}
