"""Programs that check deployment files, and a copy of the files as an operator has them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from deploy.commands import DEPLOY
from needs import missing

EXAMPLE = ".example"


def tool(name: str, package: str) -> str:
    """Path of a program: beside this Python, or of the system, where `package` brings it."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        missing(f"{name} is not here ({package})")
    return found


def accepted(*command: str | Path, folder: Path = DEPLOY) -> str:
    """Run a checker in `folder`; returns what it says. Fails with that if it refuses something."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def filled_in(folder: Path) -> Path:
    """A copy of deploy/ in `folder` in which every example has been copied to its own name."""
    copy = folder / "deploy"
    shutil.copytree(DEPLOY, copy)
    for example in copy.rglob(f"*{EXAMPLE}"):
        shutil.copy(example, example.with_suffix(""))
    return copy
