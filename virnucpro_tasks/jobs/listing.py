"""The jobs of a store as a list shows them: their progress, and what tells them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virnucpro_tasks.errors import BundleError, VirnucproError, printable
from virnucpro_tasks.jobs.job import Job, job_ids, open_job
from virnucpro_tasks.jobs.job_names import names_of_jobs
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.models.bundle import read_description

_DIGEST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """Facts by which a person tells a job from others: its names, owner and bundle, and the names of its inputs.

    `bundle` is the label of the bundle, which says if it is a demonstration, `bundle_name` its name alone.
    """

    names: tuple[str, ...]
    owner: str
    bundle: str
    bundle_name: str
    inputs: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"names": self.names, "owner": self.owner, "bundle": self.bundle, "inputs": self.inputs}


class JobListing:
    """Reads the jobs of a store; the description of a bundle is read once, however many jobs have it."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._names = names_of_jobs(store)
        self._bundles: dict[str, tuple[str, str]] = {}

    def read(
        self, wanted: Callable[[Job, JobIdentity], bool] = lambda job, identity: True
    ) -> Iterator[tuple[Job, JobIdentity, Progress] | VirnucproError]:
        """Yield each job that is `wanted`, oldest first, or the error for which it cannot be read."""
        for job_id in job_ids(self._store):
            try:
                job = open_job(self._store, job_id)
                if wanted(job, identity := self.identity(job)):
                    yield job, identity, job_progress(job)
            except VirnucproError as error:
                yield error

    def identity(self, job: Job) -> JobIdentity:
        """The facts by which `job` is told from others."""
        label, name = self._bundle(job)
        return JobIdentity(
            names=tuple(self._names.get(job.job_id, ())),
            owner=printable(job.spec.owner),
            bundle=label,
            bundle_name=name,
            inputs=tuple(entry.name for entry in job.spec.inputs),
        )

    def _bundle(self, job: Job) -> tuple[str, str]:
        """The label and the name of the job's bundle: the beginning of its digest if its description is damaged."""
        digest = job.spec.bundle_digest
        if digest not in self._bundles:
            try:
                description = read_description(job.paths.bundle)
            except BundleError:
                return digest[:_DIGEST_SHOWN], digest[:_DIGEST_SHOWN]
            self._bundles[digest] = (description.label, description.name)
        return self._bundles[digest]
