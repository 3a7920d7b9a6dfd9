"""Another build in the place of the installed one, without installing any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import msgspec

from virnucpro_tasks import build
from virnucpro_tasks.build import own_build
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.system.files import write_checked

OTHER = "0123456789"


@contextmanager
def another_build(name: str = OTHER) -> Iterator[None]:
    """This process is one of another build."""
    own_build.cache_clear()
    try:
        with mock.patch.object(build, "installed_build", lambda: name):
            own_build()
            yield
    finally:
        own_build.cache_clear()


def as_of_07(job: Job) -> Job:
    """The job as version 0.7.0 would have made it."""
    spec = msgspec.structs.replace(job.spec, version="0.7.0", build="")
    write_checked(job.paths.job, spec)
    return Job(job.paths, spec)
