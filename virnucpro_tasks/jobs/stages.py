"""Whether a coordinator is at a stage of a job, from the file of the attempts at it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from virnucpro_tasks.system.file_operations import read_bytes


class _Event(msgspec.Struct, frozen=True):
    """The fields of a line that tell who began or ended an attempt; `virnucpro_tasks.recovery.events` writes them."""

    event: str
    host: str
    pid: int


def stage_is_under_way(attempts: Path) -> bool:
    """Return whether the last attempt at a stage has begun and not ended; lines that cannot be read are left out.

    An attempt whose worker was lost counts until another one has begun: nobody wrote its end.
    """
    last: _Event | None = None
    for event in _events(attempts):
        if event.event == "began":
            last = event
        elif last is not None and (event.host, event.pid) == (last.host, last.pid):
            last = None
    return last is not None


def _events(attempts: Path) -> list[_Event]:
    try:
        lines = read_bytes(attempts).splitlines()
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        try:
            events.append(msgspec.json.decode(line.strip(b"\0"), type=_Event))
        except msgspec.DecodeError:
            continue
    return events
