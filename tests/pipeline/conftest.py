"""What tests of several processes share."""

from __future__ import annotations

import pytest

from virnucpro_tasks.system import processes


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a map are forks, as in a process without threads: with those of xdist each would import all anew."""
    monkeypatch.setattr(processes, "start_method", lambda: "fork")
