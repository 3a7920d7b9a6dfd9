"""A job: what was asked for, on disk, and the few things one can do to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from virnucpro_tasks.atomic import write_bytes, write_json
from virnucpro_tasks.errors import ExitCode, JobError, StoreError
from virnucpro_tasks.jobs.staging import StagedInput, stage_inputs
from virnucpro_tasks.keys import job_queue
from virnucpro_tasks.models.bundle import DESCRIPTION_FILE, HEAD_FILES, Bundle
from virnucpro_tasks.paths import FINISHING, SPLITTING, JobPaths, new_job_id

RESULT_PARAMETERS = ("chunk_length", "min_length", "precision", "dialect", "strict")
"""The parameters that results depend on; how a job was run is left out, so that equal work gives equal reports."""


@dataclass(frozen=True, slots=True)
class JobParameters:
    """Everything besides input and bundle that the results depend on, and how the job is run.

    `chunk_length` and `min_length` are bases; `shard_tokens` is ESM-2 tokens; `priority` is 0 (first) to 9.
    """

    chunk_length: int
    min_length: int
    precision: str
    dialect: str
    strict: bool
    keep_embeddings: bool
    priority: int
    shard_tokens: int
    max_attempts: int


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The content of job.json: written first, never changed. `owner` is in whose name it was submitted."""

    job_id: str
    created_at: str
    inputs: tuple[StagedInput, ...]
    parameters: JobParameters
    bundle_digest: str
    version: str
    owner: str = ""

    @property
    def input_bytes(self) -> int:
        return sum(entry.bytes for entry in self.inputs)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a store."""

    paths: JobPaths
    spec: JobSpec

    @property
    def job_id(self) -> str:
        return self.spec.job_id

    @property
    def queue(self) -> str:
        """The name of the queue of its shards."""
        return job_queue(self.spec.bundle_digest, self.spec.owner, self.spec.parameters.priority, self.job_id)


def create_job(store: Path, inputs: Sequence[Path], parameters: JobParameters, bundle: Bundle, *, owner: str) -> Job:
    """Stage `inputs` (`-` is standard input) and the bundle's head into a new job folder; job.json is written last.

    Raises InputError for a file that cannot be read, StoreError if the store does not take the job. On any error the
    folder is removed.
    """
    names = (DESCRIPTION_FILE, *(HEAD_FILES if bundle.description.has_head else ()))
    parts = {name: (bundle.path / name).read_bytes() for name in names}
    paths = JobPaths.of(store, new_job_id())
    try:
        paths.make_folders()
        spec = JobSpec(
            job_id=paths.job_id,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            inputs=stage_inputs(inputs, paths),
            parameters=parameters,
            bundle_digest=bundle.digest,
            version=version("virnucpro-tasks"),
            owner=owner,
        )
        (paths.bundle / "head").mkdir(parents=True)
        for name, content in parts.items():
            write_bytes(paths.bundle / name, content)
        write_json(paths.job, asdict(spec))
    except OSError as error:
        shutil.rmtree(paths.root, ignore_errors=True)
        raise not_taken(error, paths.root) from error
    except BaseException:
        shutil.rmtree(paths.root, ignore_errors=True)
        raise
    return Job(paths, spec)


def not_taken(error: OSError, place: Path) -> StoreError:
    """What a client says of a store that does not let it write `place`."""
    return StoreError(
        f"{error.filename or place}: {error.strerror or error}: the store does not take the job",
        hint="make room, or mount it writable, and submit again",
    )


def open_job(store: Path, job_id: str) -> Job:
    """Read a job. Raises JobError if the id is malformed, the store has no such job or its file is damaged."""
    paths = JobPaths.of(store, job_id)
    try:
        content: dict[str, Any] = json.loads(paths.job.read_bytes())
        content["inputs"] = tuple(StagedInput(**entry) for entry in content["inputs"])
        content["parameters"] = JobParameters(**content["parameters"])
        return Job(paths, JobSpec(**content))
    except FileNotFoundError:
        raise JobError(
            f"not in the store {store}", job_id=job_id, hint="see 'virnucpro list'; is --store right?"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise JobError(f"{paths.job} is damaged", job_id=job_id, hint="restore it, or submit the input again") from None


def list_jobs(store: Path) -> Iterator[Job]:
    """All jobs of a store, oldest first."""
    for file in sorted((store / "jobs").glob("*/job.json")):
        yield open_job(store, file.parent.name)


def cancel_job(job: Job) -> None:
    """Set the marker that workers look at before every shard and every pack. Raises JobError if already finished."""
    if job.paths.run.exists():
        raise JobError("already finished", job_id=job.job_id)
    write_bytes(job.paths.cancelled, b"")


def reopen_job(job: Job, *, retry_quarantined: bool) -> None:
    """Take back what stops a job: the marks of cancellation and failure, lost attempts at splitting and finishing, and
    on request its quarantined records.
    """
    job.paths.cancelled.unlink(missing_ok=True)
    job.paths.failed.unlink(missing_ok=True)
    for step in (SPLITTING, FINISHING):
        job.paths.step_attempts(step).unlink(missing_ok=True)
    if retry_quarantined and not job.paths.run.exists():
        for file in job.paths.quarantine.glob("*.json"):
            job.paths.attempts(int(file.stem)).unlink(missing_ok=True)
            job.paths.embedding(int(file.stem)).unlink(missing_ok=True)
            file.unlink()


def remove_job(job: Job, *, force: bool) -> None:
    """Delete the job's folder. Raises JobError for a job that is still under way, unless `force`."""
    done = job.paths.run.exists() or job.paths.failed.exists() or job.paths.cancelled.exists()
    if not done and not force:
        raise JobError("still under way", job_id=job.job_id, hint="cancel it first, or use --force")
    job.paths.job.unlink(missing_ok=True)
    shutil.rmtree(job.paths.root, ignore_errors=True)


def fail_job(job: Job, message: str, *, exit_code: ExitCode) -> None:
    """Record why the job cannot go on."""
    write_json(job.paths.failed, {"message": message, "exit_code": int(exit_code)})


def is_stopped(paths: JobPaths) -> bool:
    """Whether no more work should be done for the job: cancelled, failed, removed or finished."""
    return paths.cancelled.exists() or paths.failed.exists() or paths.run.exists() or not paths.job.exists()
