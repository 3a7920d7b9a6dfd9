from __future__ import annotations

from typing import Any

import pytest

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.queue import redis_memory
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.redis_memory import memory_of, require_redis_room
from virnucpro_tasks.settings import Settings

FULL = {"used_memory": 1_900_000_000, "maxmemory": 2_000_000_000, "total_system_memory": 8_000_000_000}


@pytest.mark.parametrize(
    ("info", "free", "share"),
    [
        (FULL, 100_000_000, 0.95),
        (FULL | {"maxmemory": 0}, 6_100_000_000, 0.2375),
        (FULL | {"used_memory": 2_100_000_000}, 0, 1.05),
        ({}, None, None),
    ],
)
def test_the_limit_is_maxmemory_or_the_machine(info: dict[str, Any], free: int | None, share: float | None) -> None:
    memory = memory_of(info)
    assert (memory.free_bytes, memory.used_share) == (free, share)


def test_a_job_that_needs_more_is_refused_with_numbers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(settings)
    monkeypatch.setattr(redis_memory, "read_info", lambda _: FULL)
    require_redis_room(app, 100_000_000)
    with pytest.raises(BrokerError, match=r"uses 1\.9 GB of the 2\.0 GB of its maxmemory.*about 100\.0 MB.*--anyway"):
        require_redis_room(app, 100_000_001)
    monkeypatch.setattr(redis_memory, "read_info", lambda _: {})
    require_redis_room(app, 10**12)
