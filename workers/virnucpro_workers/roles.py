"""The roles of worker processes and their names; imported by the supervisor, which needs no Celery."""

from __future__ import annotations

from virnucpro_tasks.keys import COORDINATOR_QUEUES, CPU_QUEUE

EMBED, COORDINATE = "embed", "coordinate"

DEDICATED_COORDINATORS = {
    f"{COORDINATE}-{queue.name.removeprefix(f'{CPU_QUEUE}-')}": queue.name for queue in COORDINATOR_QUEUES[1:]
}
"""Roles of coordinators that serve one queue of smaller inputs only, such as `coordinate-small`, with that queue."""

ROLES = (EMBED, COORDINATE, *DEDICATED_COORDINATORS)


def process_name(role: str, device: str) -> str:
    """Return `embed-gpu0` or `coordinate-0`: the first half of a node name, and the name of the heartbeat file."""
    return f"{role}-{device}"
