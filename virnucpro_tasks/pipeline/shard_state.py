"""The state of a shard after a worker has dealt with it."""

from __future__ import annotations

from enum import StrEnum


class ShardState(StrEnum):
    """The result of a task for a shard."""

    EMBEDDED = "embedded"
    QUARANTINED = "quarantined"
    """Embedded, except for records at fault."""

    FAILED = "failed"
    """To be tried again: finishing publishes it anew."""

    STOPPED = "stopped"
    """The job was cancelled, has failed or is finished."""

    REASSIGNED = "reassigned"
    """Another worker has the message now."""
