"""The user of a command that submits, who asks the workers as whom they run if that decides something."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from celery import Celery

from virnucpro_tasks.jobs.sharing import Submitter
from virnucpro_tasks.queue.process_facts import workers_are_others


def submitter_of(app: Celery, *, share_input: bool, sheet: Path | None, old_folder: Path | None) -> Submitter:
    """The user of this process. A job has content of its sample sheet and of the folder that it imports, too."""
    further = [path for path in (sheet, old_folder) if path is not None]
    if old_folder is not None:
        further += old_folder.rglob("*")
    return Submitter.here(
        shares_input=share_input,
        workers_are_others=cache(lambda: workers_are_others(app, os.geteuid())),
        further=tuple(further),
    )
