"""Running a command as a shell does, in this process."""

from __future__ import annotations

import pytest

from virnucpro_tasks.cli.main import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of `virnucpro` with `arguments`."""
    monkeypatch.setattr("sys.argv", ["virnucpro", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
