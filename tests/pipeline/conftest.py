"""What tests of several processes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from job import remembered_by_sequence

from virnucpro_tasks.system import processes


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a map are forks, as in a process without threads: with those of xdist each would import all anew."""
    monkeypatch.setattr(processes, "start_method", lambda: "fork")


@pytest.fixture
def known_sequences() -> Iterator[None]:
    """Each sequence is computed once, however it is packed: that vectors do not depend on it is tested elsewhere."""
    with remembered_by_sequence():
        yield
