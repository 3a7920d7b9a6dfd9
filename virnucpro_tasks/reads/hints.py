"""Names of files in the commands that messages advise."""

from __future__ import annotations

import shlex
from pathlib import Path

PLACEHOLDER = "FILE"


def shell_name(name: str) -> str:
    """A file's name as a shell takes it; PLACEHOLDER for an input that is no file, such as standard input."""
    return shlex.quote(name) if Path(name).is_file() else PLACEHOLDER
