"""Creates, opens, cancels, reopens and removes jobs, and records why one failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from virnucpro_tasks.build import DISTRIBUTION, named_build, own_build
from virnucpro_tasks.errors import DamagedError, ExitCode, JobDamagedError, JobError, OtherBuildError
from virnucpro_tasks.jobs.check_inputs import mark_empty
from virnucpro_tasks.jobs.imported import ImportedWork
from virnucpro_tasks.jobs.output_options import ALL_FILES, OutputOptions
from virnucpro_tasks.jobs.rescored import RescoredWork
from virnucpro_tasks.jobs.rights import PLAIN_RIGHTS, JobRights, make_job_folder
from virnucpro_tasks.jobs.shard_files import shards_in
from virnucpro_tasks.jobs.staging import StagedInput, stage_inputs
from virnucpro_tasks.keys import coordinator_queue, job_queue
from virnucpro_tasks.models.bundle import DESCRIPTION_FILE, HEAD_FILES, Bundle
from virnucpro_tasks.models.verification import read_part
from virnucpro_tasks.paths import FINISHING, SPLITTING, JobPaths, is_job_id, new_job_id
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.system.file_operations import (
    exists,
    is_there,
    make_folder,
    persistently,
    remove_tree,
    rename_folder,
    sync,
    temporary_beside,
)
from virnucpro_tasks.system.files import (
    CHECKSUM,
    checksum,
    decode,
    read_checked,
    read_object,
    store_write_error,
    write_bytes,
    write_checked,
    write_json,
)

RESULT_PARAMETERS = ("chunk_length", "min_length", "precision", "dialect", "strict", "coverage", "compat", "outputs")
"""The parameters that results depend on, beside `both_strands`, which is left out if it is not set. Reports state
these alone, so that equal work gives equal reports."""


class JobParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters that results depend on (RESULT_PARAMETERS), and those that say how the job is run.

    `chunk_length` and `min_length` are bases; `shard_tokens` is ESM-2 tokens; `priority` is 0 (first) to 9. A job that
    scores one strand does not state `both_strands`: it is the same work as in versions that know of no other.
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
    outputs: OutputOptions = ALL_FILES
    coverage: Coverage = Coverage.FRAMES
    both_strands: bool | msgspec.UnsetType = msgspec.UNSET
    compat: Compat = Compat.NONE

    @property
    def has_segments(self) -> bool:
        """Whether segments stand for chunks without an open frame."""
        return self.coverage is Coverage.SEGMENTS

    @property
    def has_both_strands(self) -> bool:
        """Whether scores of records are of the chunks of both strands."""
        return self.both_strands is True

    def for_results(self) -> dict[str, Any]:
        """The parameters that results depend on, as plain values."""
        found = {name: msgspec.to_builtins(getattr(self, name)) for name in RESULT_PARAMETERS}
        return found | ({"both_strands": True} if self.has_both_strands else {})


class JobSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of job.json. It is never changed, unless the job begins anew with another build.

    `version` and `build` are those of the command that submitted the job, and of all workers that work at it; versions
    up to 0.7.0 tell no build. `owner` is the user in whose name it was submitted, `imported` what it has taken over
    from an earlier tool, `rescored` what it scores again.
    """

    job_id: str
    created_at: str
    inputs: tuple[StagedInput, ...]
    parameters: JobParameters
    bundle_digest: str
    version: str
    owner: str = ""
    imported: ImportedWork | None = None
    rescored: RescoredWork | None = None
    build: str = ""

    @property
    def submission_order(self) -> tuple[float, str]:
        """A key that puts jobs into the order of their submission; up to 0.9.0 a job tells whole seconds alone."""
        return datetime.fromisoformat(self.created_at).timestamp(), self.job_id

    @property
    def named_build(self) -> str:
        """The build of the job, as it is shown."""
        return named_build(self.version, self.build)

    @property
    def input_bytes(self) -> int:
        return sum(entry.bytes for entry in self.inputs)

    @property
    def samples(self) -> dict[str, list[int]]:
        """The numbers of the inputs of each sample; without a sample sheet all are of one without a name."""
        found: dict[str, list[int]] = {}
        for ordinal, entry in enumerate(self.inputs):
            found.setdefault(entry.sample, []).append(ordinal)
        return found


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of failed.json: why the job failed, and the exit code of a command that waits for it."""

    message: str
    exit_code: int


Importer = Callable[[Path, Sequence[ReadInput]], ImportedWork]
"""Writes vectors of an earlier tool for staged inputs into an empty folder."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job in a store."""

    paths: JobPaths
    spec: JobSpec

    @property
    def job_id(self) -> str:
        return self.spec.job_id

    @property
    def inputs(self) -> list[ReadInput]:
        """The staged input files, with the names that the user gave."""
        compat = self.spec.parameters.compat
        return [entry.at(self.paths.input(ordinal), compat=compat) for ordinal, entry in enumerate(self.spec.inputs)]

    @property
    def is_empty(self) -> bool:
        """Whether no input holds a record, which the job was allowed."""
        return all(entry.empty for entry in self.spec.inputs)

    @property
    def queue(self) -> str:
        """Name of the queue of the job's shards."""
        spec = self.spec
        return job_queue(spec.bundle_digest, spec.build, spec.owner, spec.parameters.priority, self.job_id)

    @property
    def coordinator_queue(self) -> str:
        """Name of the queue of the job's splitting and finishing."""
        return coordinator_queue(self.spec.input_bytes, self.spec.build)


def create_job(
    store: Path,
    inputs: Sequence[ReadInput],
    parameters: JobParameters,
    bundle: Bundle,
    *,
    owner: str,
    allow_empty: bool = False,
    importer: Importer | None = None,
    rescored: RescoredWork | None = None,
    rights: JobRights = PLAIN_RIGHTS,
) -> Job:
    """Copy `inputs` (`-` is standard input) and the bundle's head into a new job folder, which appears complete.

    The `importer` takes vectors over from an earlier tool. With `allow_empty` none of the inputs needs to hold a
    record: the tables of such a job have only their header. Raises BundleError for a head that was changed, InputError
    for a file that cannot be read or whose beginning shows that it is none of sequences, StoreError if the store cannot
    be written. On any error the folder is removed.
    """
    parts = {name: read_part(bundle, name) for name in (HEAD_FILES if bundle.description.has_head else ())}
    final = JobPaths.of(store, new_job_id())
    # Under a name that tells who is making it, so that what a killed client leaves can be removed.
    paths = JobPaths(temporary_beside(final.root))
    try:
        make_job_folder(paths.root, rights)
        paths.make_folders()
        staged = mark_empty(
            stage_inputs(inputs, paths, rights),
            paths,
            strict=parameters.strict,
            allow_empty=allow_empty,
            compat=parameters.compat,
        )
        imported = None
        if importer is not None and not all(entry.empty for entry in staged):
            make_folder(paths.imported)
            sources = [entry.at(paths.input(n), compat=parameters.compat) for n, entry in enumerate(staged)]
            imported = importer(paths.imported, sources)
        spec = JobSpec(
            job_id=final.job_id,
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            inputs=staged,
            parameters=parameters,
            bundle_digest=bundle.digest,
            version=version(DISTRIBUTION),
            build=own_build(),
            owner=owner,
            imported=imported,
            rescored=rescored,
        )
        make_folder(paths.bundle / "head")
        write_json(paths.bundle / DESCRIPTION_FILE, msgspec.structs.asdict(bundle.description))
        for name, content in parts.items():
            write_bytes(paths.bundle / name, content)
        write_checked(paths.job, spec)
        rename_folder(paths.root, final.root)
        sync(final.root.parent)
    except OSError as error:
        remove_tree(paths.root)
        remove_tree(final.root)
        raise store_write_error(error, final.root) from error
    except BaseException:
        remove_tree(paths.root)
        raise
    return Job(final, spec)


def open_job(store: Path, job_id: str) -> Job:
    """Read a job.

    Raises JobError if the id is malformed or unknown, OtherBuildError if job.json is of a later version in a form that
    this one does not know, JobDamagedError if it is damaged.
    """
    paths = JobPaths.of(store, job_id)
    try:
        spec = read_checked(paths.job, JobSpec)
        if spec.job_id != job_id:
            raise DamagedError(paths.job)
        return Job(paths, spec)
    except FileNotFoundError:
        raise JobError(
            f"not in the store {store}", job_id=job_id, hint="see 'virnucpro list'; is --store right?"
        ) from None
    except DamagedError:
        if (other := _unknown_form_of(paths)) is not None:
            raise OtherBuildError(
                f"it is of {other}, in a form that version {version(DISTRIBUTION)} cannot read",
                job_id=job_id,
                hint="use the command of that version",
            ) from None
        raise JobDamagedError(
            f"{paths.job} is damaged", job_id=job_id, hint="restore it, or remove the job and submit the input again"
        ) from None


def _unknown_form_of(paths: JobPaths) -> str | None:
    """The build that wrote a job.json which is as it was written, but has other fields than here; else None."""
    try:
        content = read_object(paths.job)
        if content.pop(CHECKSUM, "") != checksum(content):
            return None
        origin = decode(content, _Origin, path=paths.job)
    except (DamagedError, FileNotFoundError):
        return None
    if origin.job_id != paths.job_id or origin.build == own_build():
        return None
    return named_build(origin.version, origin.build)


class _Origin(msgspec.Struct, frozen=True):
    """The fields of job.json that all versions have."""

    job_id: str
    version: str
    build: str = ""


def began_anew(job: Job) -> bool:
    """Whether another build has the job since it was opened; then what was computed is not to be kept."""
    try:
        return open_job(job.paths.store, job.job_id).spec.build != job.spec.build
    except OtherBuildError:
        return True
    except JobError:
        return False


def open_for_work(store: Path, job_id: str) -> Job:
    """`open_job` for workers: a damaged job.json also marks the job as failed, so that waiting clients end.

    Raises OtherBuildError for a job of another build, which only workers of that build work at.
    """
    try:
        job = open_job(store, job_id)
        if job.spec.build != own_build():
            raise OtherBuildError(f"it is of {job.spec.named_build}, and left to workers of that build", job_id=job_id)
        return job
    except JobDamagedError as error:
        with suppress(OSError):
            record_failure(JobPaths.of(store, job_id), str(error), exit_code=error.exit_code)
        raise


def job_ids(store: Path) -> list[str]:
    """The ids of all jobs in a store, oldest first."""
    found = persistently(lambda: list((store / "jobs").glob("*/job.json")))
    return sorted(file.parent.name for file in found if is_job_id(file.parent.name))


def cancel_job(job: Job) -> None:
    """Write the marker that workers check before every shard and pack. Raises JobError if the job is finished."""
    if exists(job.paths.run):
        raise JobError("already finished", job_id=job.job_id)
    write_bytes(job.paths.cancelled, b"")


def reopen_job(job: Job, *, retry_quarantined: bool) -> None:
    """Let a stopped job go on: remove the marks of cancellation and failure and the counted attempts at splitting and
    finishing, and with `retry_quarantined` the quarantined records of an unfinished job.
    """
    job.paths.cancelled.unlink(missing_ok=True)
    job.paths.failed.unlink(missing_ok=True)
    for stage in (SPLITTING, FINISHING):
        job.paths.stage_attempts(stage).unlink(missing_ok=True)
    if retry_quarantined and not exists(job.paths.run):
        for shard in shards_in(job.paths.quarantine, ".json"):
            job.paths.attempts(shard).unlink(missing_ok=True)
            job.paths.scores(shard).unlink(missing_ok=True)
            job.paths.embedding(shard).unlink(missing_ok=True)
            job.paths.quarantined(shard).unlink(missing_ok=True)


def remove_job(job: Job, *, force: bool) -> None:
    """Delete the job's folder. Raises JobError for a job that is under way, unless `force`."""
    remove_folder(job.paths, force=force)


def remove_folder(paths: JobPaths, *, force: bool) -> None:
    """`remove_job` for a job that cannot be opened."""
    done = exists(paths.run) or exists(paths.failed) or exists(paths.cancelled)
    if not done and not force:
        raise JobError("still under way", job_id=paths.job_id, hint="cancel it first, or use --force")
    # In one step, so that nobody takes what is left of it for a job; and its name tells who was removing it.
    doomed = temporary_beside(paths.root)
    try:
        rename_folder(paths.root, doomed)
    except OSError:
        paths.job.unlink(missing_ok=True)
        doomed = paths.root
    remove_tree(doomed)


def fail_job(job: Job, message: str, *, exit_code: ExitCode) -> None:
    """Mark the job as failed, with the reason."""
    record_failure(job.paths, message, exit_code=exit_code)


def record_failure(paths: JobPaths, message: str, *, exit_code: ExitCode) -> None:
    """`fail_job` for a job that cannot be opened; one that was removed needs no reason."""
    if not is_there(paths.job):
        return
    try:
        write_checked(paths.failed, Failure(message, int(exit_code)))
    except FileNotFoundError:
        if is_there(paths.job):
            raise


def is_stopped(paths: JobPaths) -> bool:
    """Whether the job is cancelled, failed, removed or finished, so that no more work is to be done for it."""
    return exists(paths.cancelled) or exists(paths.failed) or exists(paths.run) or not is_there(paths.job)
