"""Temporary folders that say who made them, so that what a killed run left can be found and removed."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from virnucpro_tasks.system.owners import Mark

MARK_FILE = ".virnucpro-owner"
"""The file in a temporary folder that names its maker."""


class TemporaryFolder:
    """A new folder (mode 700) with the mark of this process, beside other temporary files or in `parent`.

    It is in the folder `otherwise` if this host has no folder for temporary files that can be written. As a context
    manager it gives the path, and removes the folder at the end. Raises OSError.
    """

    def __init__(self, prefix: str, *, parent: Path | str | None = None, otherwise: Path | None = None) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        except FileNotFoundError:
            if parent is not None or otherwise is None:
                raise
            otherwise.mkdir(parents=True, exist_ok=True)
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=otherwise))
        self._mark: Mark | None = None
        # A folder without a mark serves as well.
        with suppress(OSError):
            self._mark = Mark.create(self.path / MARK_FILE)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder with all that is in it; symbolic links in it are not followed."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._mark is not None:
            self._mark.close()
            self._mark = None
