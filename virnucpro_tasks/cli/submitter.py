"""The user of a command that submits, who asks the workers as whom they run if that decides something."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from celery import Celery

from virnucpro_tasks.jobs.sharing import Submitter
from virnucpro_tasks.queue.process_facts import workers_are_others


def further_content(sheet: Path | None, old_folder: Path | None) -> tuple[Path, ...]:
    """The files and folders that a job takes content from besides its inputs: a sample sheet, what it imports."""
    further = [path for path in (sheet, old_folder) if path is not None]
    if old_folder is not None:
        further += old_folder.rglob("*")
    return tuple(further)


def submitter_of(app: Celery, *, share_input: bool, sheet: Path | None, old_folder: Path | None) -> Submitter:
    """The user of this process, who submits to a deployment."""
    return Submitter.here(
        shares_input=share_input,
        workers_are_others=cache(lambda: workers_are_others(app, os.geteuid())),
        further=further_content(sheet, old_folder),
    )
