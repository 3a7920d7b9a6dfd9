"""Speed of a job by the times of its files, for a command that looks at it once and cannot wait for a second look."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import pairwise

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.jobs.rate import LEAST_CHANGES, LONGEST_WINDOW_SECONDS, Rate, rate_of
from virnucpro_tasks.paths import shard_number
from virnucpro_tasks.recovery.events import Began, read_events
from virnucpro_tasks.shards.plan import read_plan

MOST_SHARDS = 256
"""Finished shards that are looked at, those with the highest numbers: they are far more than a window holds."""

PAUSE = 5.0
"""A job of which no shard has ended for so many of the longest step between two ends is not going on."""


def past_rate(job: Job, progress: Progress) -> Rate | None:
    """The rate as a `RateMeter` would have it that had looked at each end of a shard; None while it is not known.

    The beginning of the first shard counts as a look too, and so does now, if more tokens are done by now than in
    finished shards.
    """
    if progress.state is not JobState.EMBEDDING or progress.tokens_done is None or progress.tokens_total is None:
        return None
    now = time.time()
    changes: deque[tuple[float, int]] = deque()
    with suppress(OSError, DamagedError):
        changes.extend(_ends(job))
    if len(changes) < LEAST_CHANGES:
        return None
    longest = max(after - before for (before, _), (after, _) in pairwise(changes))
    if now - changes[-1][0] > max(LONGEST_WINDOW_SECONDS, PAUSE * longest):
        return None
    if progress.tokens_done > changes[-1][1] and now > changes[-1][0]:
        changes.append((now, progress.tokens_done))
    return rate_of(changes, began_at=changes[0][0], now=now, tokens_total=progress.tokens_total)


def _ends(job: Job) -> Iterator[tuple[float, int]]:
    """When the first finished shard was begun, and the end of each, with the tokens that were done by then."""
    plan = read_plan(job.paths.plan)
    with os.scandir(job.paths.embeddings) as entries:
        files = {shard_number(entry.name): entry for entry in entries if entry.name.endswith(".safetensors")}
    done = [shard for shard in plan.to_embed if shard in files]
    looked_at = sorted((files[shard].stat().st_mtime, shard) for shard in done[-MOST_SHARDS:])
    tokens = sum(plan.shards[shard].tokens for shard in done[:-MOST_SHARDS])
    if looked_at and not tokens:
        began = [event for event in read_events(job.paths.attempts(looked_at[0][1])) if isinstance(event, Began)]
        if began:
            yield datetime.fromisoformat(began[-1].at).timestamp(), 0
    for ended_at, shard in looked_at:
        tokens += plan.shards[shard].tokens
        yield ended_at, tokens
