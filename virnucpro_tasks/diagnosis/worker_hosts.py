"""Checks of the hosts of workers: the mount of the store there, its free room, and that of the temporary folder."""

from __future__ import annotations

from collections.abc import Mapping

from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Outcome, Status, below, worst
from virnucpro_tasks.diagnosis.store import (
    ENOUGH_FREE_BYTES,
    ENOUGH_FREE_FILES,
    LEAST_FREE_BYTES,
    LEAST_FREE_FILES,
    ROOM_ADVICE,
)
from virnucpro_tasks.errors import counted, printable, size_text
from virnucpro_tasks.queue.process_facts import ProcessFacts
from virnucpro_tasks.system.free_room import FreeRoom

MOUNT_ADVICE = "mount the store there, and restart the workers of that host"
TEMPORARY_ADVICE = "make room there, or set TMPDIR for the workers of that host"
MOST_NAMED = 8


def check_worker_hosts(deployment: Deployment) -> Outcome:
    """Whether the store is mounted, and there is room, on each host of a worker. Raises BrokerError."""
    if deployment.silence:
        return Outcome(deployment.silence, Status.WARNING, "see the finding on Redis")
    return worker_hosts_outcome(deployment.told)


def worker_hosts_outcome(told: Mapping[str, ProcessFacts]) -> Outcome:
    """Judge what workers tell, by the thresholds of this host; a worker of an earlier version tells nothing.

    Of several workers of a host that use the same folders one speaks for all.
    """
    stores = {(facts.host, facts.store.folder): facts.store for facts in told.values() if facts.store is not None}
    temporary = {
        (facts.host, facts.temporary.folder): facts.temporary for facts in told.values() if facts.temporary is not None
    }
    values = {
        "stores": {f"{host}:{folder}": room.free_bytes for (host, folder), room in stores.items()},
        "temporary": {f"{host}:{folder}": room.free_bytes for (host, folder), room in temporary.items()},
    }
    if not stores:
        return Outcome("no worker tells of its host", Status.WARNING, "start 'virnucpro worker'", values)
    found = [_of_store(host, room) for (host, _), room in sorted(stores.items())]
    found += [_of_temporary(host, room) for (host, _), room in sorted(temporary.items())]
    wrong = [outcome for outcome in found if outcome.status is not Status.OK]
    if wrong:
        most = worst(wrong[:MOST_NAMED])
        more = f"; and {len(wrong) - MOST_NAMED:,} more" if len(wrong) > MOST_NAMED else ""
        status = worst(wrong).status
        return Outcome(printable(most.detail + more), status, most.advice, values)
    least = min((room.free_bytes for room in stores.values() if room.free_bytes is not None), default=None)
    free = "" if least is None else f", {size_text(least)} free at least"
    hosts = counted(len({host for host, _ in stores}), "host")
    return Outcome(f"the store is there on {hosts} of workers{free}", values=values)


def _of_store(host: str, room: FreeRoom) -> Outcome:
    where = f"{host}: the store {room.folder}"
    if room.error:
        return Outcome(f"{where}: {room.error}", Status.FAILED, MOUNT_ADVICE)
    outcomes = []
    if room.free_bytes is not None:
        status = below(room.free_bytes, least=LEAST_FREE_BYTES, enough=ENOUGH_FREE_BYTES)
        outcomes.append((f"{where} has {size_text(room.free_bytes)} free", status))
    if room.free_files is not None:
        status = below(room.free_files, least=LEAST_FREE_FILES, enough=ENOUGH_FREE_FILES)
        outcomes.append((f"{where} has {counted(room.free_files, 'inode')} free", status))
    wrong = [(detail, status) for detail, status in outcomes if status is not Status.OK]
    return worst([Outcome(detail, status, ROOM_ADVICE) for detail, status in wrong])


def _of_temporary(host: str, room: FreeRoom) -> Outcome:
    """The temporary folder: no result depends on it, so that it is a warning at most."""
    where = f"{host}: the temporary folder {room.folder}"
    if room.error:
        return Outcome(f"{where}: {room.error}", Status.WARNING, TEMPORARY_ADVICE)
    if room.free_bytes is not None and room.free_bytes < LEAST_FREE_BYTES:
        return Outcome(f"{where} has {size_text(room.free_bytes)} free", Status.WARNING, TEMPORARY_ADVICE)
    if room.free_files is not None and room.free_files < LEAST_FREE_FILES:
        detail = f"{where} has {counted(room.free_files, 'inode')} free"
        return Outcome(detail, Status.WARNING, TEMPORARY_ADVICE)
    return Outcome(where)
