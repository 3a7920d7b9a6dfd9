"""Paths of all files of a job and of a store.

| name                             | written by            | lifetime                                         |
| -------------------------------- | --------------------- | ------------------------------------------------ |
| job.json                         | client                | the job's; the client's last file, never changed |
| input/{nnnn}                     | client                | the job's                                        |
| bundle/bundle.json, bundle/head/ | client                | the job's; the head that scores                  |
| shards/{n}.frames.parquet        | split_job             | the job's                                        |
| shards/{n}.chunks.parquet        | split_job             | the job's                                        |
| plan.json                        | split_job             | the job's; written when splitting is complete    |
| attempts/{n}.jsonl               | embed_shard           | the job's; a line before and after each attempt  |
| attempts/{stage}.jsonl           | split_job, finish_job | the job's; attempts at splitting and finishing   |
| workers/{process}.jsonl          | embed_shard           | the job's; who embedded which shards             |
| embeddings/{n}.safetensors       | embed_shard           | until finished, unless keep_embeddings           |
| imported/{kind}.vectors, .index  | client                | until finished; vectors of an earlier tool       |
| scores/{n}.safetensors           | embed_shard           | until finished; without it finishing scores      |
| quarantine/{n}.json              | embed_shard           | the job's; records without vectors, and why      |
| room.json                        | client                | the job's; the estimate of the room it needs     |
| failed.json                      | any task              | until `resume`; why the job failed               |
| cancelled                        | client                | until `resume`; an empty marker                  |
| results/                         | finish_job            | the job's; moved here when complete              |
| run.json                         | finish_job            | the job's; written last: the job is finished     |

Besides the folders of jobs a store has the files submissions/{key}: the id of the job that has this content key
(`jobs/deduplicate.py`). The client writes them; without one the work is done again. The files names/{name} hold the id
of the job that has this name (`jobs/job_names.py`). The file store-id holds the id of
the store (`jobs/store_id.py`); the first process that needs it writes it.

Temporary names begin with a dot. A file under its final name is complete.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.system.file_operations import make_subfolder

SPLITTING, FINISHING = "splitting", "finishing"
"""The stages of a job besides its shards."""

COMMIT_MARK = "run.json"
"""Its presence means: in a job's folder that the job is finished, in a folder of results that they are complete."""

STORE_ID = "store-id"

LOG_FILE = "virnucpro.log"
"""The readable form of the report, in a folder of results."""

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ID_RANDOM_CHARACTERS = 16
_ID_PATTERN = re.compile(r"\d{8}t\d{6}z-[a-z2-7]{16}")
_SHARD_FILE = re.compile(r"(\d{6,})\.[a-z.]+")


def new_job_id() -> str:
    """A new job id; ids sort by time (UTC, seconds) and cannot be guessed (80 random bits)."""
    random = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_RANDOM_CHARACTERS))
    return f"{datetime.now(UTC):%Y%m%dt%H%M%Sz}-{random}"


def is_job_id(name: str) -> bool:
    """Whether `name` has the form of a job id."""
    return _ID_PATTERN.fullmatch(name) is not None


def checked_job_id(job_id: object) -> str:
    """Return `job_id` if it has the form of a job id, so that no message or argument names a path outside the store.

    Raises JobError.
    """
    if not isinstance(job_id, str) or not is_job_id(job_id):
        raise JobError("this is not a job id", job_id=ascii(job_id)[:80], hint="see 'virnucpro list'")
    return job_id


def shard_number(name: str) -> int | None:
    """The shard to which a file of this name belongs; None for any other name, as programs of others leave them."""
    found = _SHARD_FILE.fullmatch(name)
    return int(found[1]) if found else None


def submission_file(store: Path, key: str) -> Path:
    """The file that holds the id of the job with this content key."""
    return submissions_folder(store) / key


def submissions_folder(store: Path) -> Path:
    """The folder of the files that say which job has a content key."""
    return store / "submissions"


def names_folder(store: Path) -> Path:
    """The folder of the names of jobs."""
    return store / "names"


def name_file(store: Path, name: str) -> Path:
    """The file that holds the id of the job with this name."""
    return names_folder(store) / name.lower()


def store_id_file(store: Path) -> Path:
    """The file that holds the id of the store."""
    return store / STORE_ID


@dataclass(frozen=True, slots=True)
class JobPaths:
    """The files of one job in a store; see the table above."""

    root: Path

    @classmethod
    def of(cls, store: Path, job_id: str) -> JobPaths:
        """The files of job `job_id`. Raises JobError if it has not the form of a job id."""
        return cls(store / "jobs" / checked_job_id(job_id))

    @property
    def job_id(self) -> str:
        return self.root.name

    @property
    def store(self) -> Path:
        return self.root.parent.parent

    @property
    def job(self) -> Path:
        return self.root / "job.json"

    @property
    def inputs(self) -> Path:
        return self.root / "input"

    def input(self, ordinal: int) -> Path:
        return self.inputs / f"{ordinal:04d}"

    @property
    def bundle(self) -> Path:
        return self.root / "bundle"

    @property
    def shards(self) -> Path:
        return self.root / "shards"

    def frames(self, shard: int) -> Path:
        return self.shards / f"{shard:06d}.frames.parquet"

    def chunks(self, shard: int) -> Path:
        return self.shards / f"{shard:06d}.chunks.parquet"

    @property
    def room(self) -> Path:
        return self.root / "room.json"

    @property
    def plan(self) -> Path:
        return self.root / "plan.json"

    @property
    def attempts_folder(self) -> Path:
        return self.root / "attempts"

    def attempts(self, shard: int) -> Path:
        return self.attempts_folder / f"{shard:06d}.jsonl"

    def stage_attempts(self, stage: str) -> Path:
        return self.attempts_folder / f"{stage}.jsonl"

    @property
    def workers(self) -> Path:
        return self.root / "workers"

    @property
    def embeddings(self) -> Path:
        return self.root / "embeddings"

    def embedding(self, shard: int) -> Path:
        return self.embeddings / f"{shard:06d}.safetensors"

    @property
    def imported(self) -> Path:
        return self.root / "imported"

    @property
    def kept_scores(self) -> Path:
        return self.root / "scores"

    def scores(self, shard: int) -> Path:
        return self.kept_scores / f"{shard:06d}.safetensors"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    def quarantined(self, shard: int) -> Path:
        return self.quarantine / f"{shard:06d}.json"

    @property
    def failed(self) -> Path:
        return self.root / "failed.json"

    @property
    def cancelled(self) -> Path:
        return self.root / "cancelled"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def run(self) -> Path:
        return self.root / COMMIT_MARK

    def make_folders(self) -> None:
        """Create the folders that tasks write to, those that are missing, in the folder of the job, which is there."""
        for name in ("input", "shards", "embeddings", "scores", "quarantine", "attempts", "workers"):
            make_subfolder(self.root / name)
