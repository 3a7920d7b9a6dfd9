"""Answers what a worker process is: version, user, clock, device, room. `virnucpro doctor` asks."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from celery.worker.control import inspect_command

from virnucpro_tasks.build import DISTRIBUTION, own_build
from virnucpro_tasks.paths import STORE_ID
from virnucpro_tasks.queue.process_facts import FACTS_QUESTION, ProcessFacts
from virnucpro_tasks.system.devices import visible_uuids
from virnucpro_tasks.system.free_room import free_room
from virnucpro_tasks.system.gpu_facts import driver_version, gpu_facts
from virnucpro_tasks.system.gpu_reading import gpu_reading
from virnucpro_tasks.system.gpus import list_gpus
from virnucpro_tasks.system.users import own_groups, own_umask


def answer_facts() -> None:
    """Have this worker answer FACTS_QUESTION. To be called before it starts."""
    inspect_command(name=FACTS_QUESTION)(tell_facts)


def tell_facts(state: Any, **_: Any) -> dict[str, Any]:
    """The facts of this process as plain values; `state` is Celery's, of the worker."""
    device, driver, uuids = _device()
    settings = getattr(state.app, "settings", None)
    facts = ProcessFacts(
        version=version(DISTRIBUTION),
        build=own_build(),
        host=socket.gethostname(),
        uid=os.geteuid(),
        groups=own_groups(),
        umask=own_umask(),
        clock_seconds=_clock_seconds(state.app),
        device=device,
        driver=driver,
        gpu=gpu_reading(uuids[0]) if len(uuids) == 1 else None,
        store=None if settings is None else free_room(settings.store, expected=STORE_ID),
        temporary=free_room(Path(tempfile.gettempdir())),
    )
    plain: dict[str, Any] = msgspec.to_builtins(facts)
    return plain


def _clock_seconds(app: Any) -> float | None:
    try:
        before = time.time()
        seconds, microseconds = app.backend.client.time()
        return float((before + time.time()) / 2 - seconds - microseconds / 1e6)
    except Exception:  # of Redis or the network: the other facts are told without it
        return None


@cache
def _device() -> tuple[str, str, tuple[str, ...]]:
    """The GPU that this process may use, the driver, and UUIDs as `visible_uuids` has them; nothing of it changes."""
    gpus, mask = list_gpus() or (), os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = [gpu.name for gpu in gpu_facts(gpus, mask=mask) if gpu.is_visible]
    return ", ".join(visible), driver_version() if gpus else "", visible_uuids(mask, gpus)
