"""The progress of a job, read from its files alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from virnucpro_tasks.errors import DamagedError, ExitCode, JobError, printable
from virnucpro_tasks.jobs.job import Failure, Job
from virnucpro_tasks.jobs.output_options import OutputOptions
from virnucpro_tasks.jobs.shard_files import shards_in
from virnucpro_tasks.jobs.stages import stage_is_under_way
from virnucpro_tasks.paths import FINISHING, SPLITTING
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.files import decode, read_checked, read_object

RECORDS_FILE = "records.tsv"
"""The table of records; a job without calls has none."""


class JobState(StrEnum):
    """The stage that a job has reached."""

    QUEUED = "queued"
    SPLITTING = "splitting"
    EMBEDDING = "embedding"
    FINISHING = "finishing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


MOST_OF_A_SHARD = 0.999
"""The largest share that counts of a shard whose vectors are not written yet."""

FINAL_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class RecordCounts(msgspec.Struct, frozen=True):
    """Numbers of records by status; `partial_frame` is None for a job that is scored by open frames alone."""

    invalid: int
    quarantined: int
    scored: int = 0
    no_open_frame: int = 0
    too_short: int = 0
    partial_frame: int | None = None


class ChunkCounts(msgspec.Struct, frozen=True):
    """Numbers of chunks by status."""

    quarantined: int = 0
    scored: int = 0
    no_open_frame: int = 0
    partial_frame: int = 0


class Counts(msgspec.Struct, frozen=True):
    """The entry `counts` of run.json.

    `sequences` are the records of virus.fasta.gz, None in those of earlier versions. `called_records` are those with a
    call, by status; of a job without it all that are scored have one.
    """

    records: RecordCounts
    chunks: ChunkCounts
    virus_records: int = 0
    bases: int = 0
    virus_bases: int = 0
    virus_evidence: dict[str, int] = {}
    sequences: int | None = None
    called_records: dict[str, int] | None = None
    segments: int = 0
    segment_tokens: int = 0
    reverse_frames: int = 0
    reverse_tokens: int = 0

    @property
    def called(self) -> int:
        """Records with a call."""
        return self.records.scored if self.called_records is None else sum(self.called_records.values())


class StrongRecord(msgspec.Struct, frozen=True):
    """An entry of `strongest` in run.json: a record called virus."""

    record_id: str
    length: int
    virus_score: float
    evidence: str


class UsedWorker(msgspec.Struct, frozen=True):
    """A worker that took part."""

    device: str = ""


class Times(msgspec.Struct, frozen=True):
    """The entry `times` of run.json; `sha256` has the digests of the files that tell times."""

    sha256: dict[str, str] = {}
    seconds: float = 0.0
    workers: list[UsedWorker] = []


class UsedEngine(msgspec.Struct, frozen=True):
    """The entry `engine` of run.json, as far as it counts vectors of an earlier tool: used, compared, others."""

    imported: int = 0
    compared: int = 0
    differing: int = 0


class Rates(msgspec.Struct, frozen=True):
    """The entry `fdr` of run.json: the share of viruses that false-discovery rates are for, or why there are none."""

    refusal: str = ""
    prior: float | None = None
    prior_is: str | None = None


class UsedParameters(msgspec.Struct, frozen=True):
    """The entry `parameters` of run.json."""

    outputs: OutputOptions = OutputOptions()
    coverage: Coverage = Coverage.FRAMES
    both_strands: bool = False
    compat: Compat = Compat.NONE


class RunReport(msgspec.Struct, frozen=True):
    """The entries of run.json that clients read; it has others. `sha256` maps result files to their digests."""

    exit_code: ExitCode
    summary: str
    warnings: list[str]
    problems: list[str]
    counts: Counts
    sha256: dict[str, str]
    demonstration: bool = False
    strongest: list[StrongRecord] = []
    fdr: Rates = Rates()
    parameters: UsedParameters = UsedParameters()
    engine: UsedEngine = UsedEngine()
    times: Times = Times()

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 (hex) of all result files by their places, but for run.json and the log."""
        return self.sha256 | self.times.sha256

    @property
    def virus_records(self) -> int | None:
        """The number of records that are called virus; None if the bundle called none, because it has no head."""
        return self.counts.virus_records if RECORDS_FILE in self.sha256 else None

    def record_counts(self) -> dict[str, Any]:
        """The numbers of records: all of them, by status and by call. Plain values for JSON."""
        counts = msgspec.structs.asdict(self.counts.records)
        by_status = {status: number for status, number in counts.items() if number is not None}
        virus = self.virus_records
        calls = None if virus is None else {"virus": virus, "others": self.counts.called - virus}
        return {"all": sum(by_status.values()), "by_status": by_status, "by_call": calls}


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a job at one moment. Totals are None until splitting is complete; tokens are ESM-2 tokens.

    `shards_quarantined` counts the shards with quarantined records; each counts as done once its other records are
    embedded. `tokens_done` includes the shards under way, as far as that is known. `virus_records` are those called
    virus, None until the job is done.
    """

    job_id: str
    state: JobState
    created_at: str
    shards_total: int | None
    shards_done: int
    shards_quarantined: int
    tokens_total: int | None
    tokens_done: int | None
    message: str
    exit_code: ExitCode
    virus_records: int | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a job that is not over has no exit code."""
        is_over = self.is_final or self.exit_code != ExitCode.OK
        return asdict(self) | {"state": str(self.state), "exit_code": int(self.exit_code) if is_over else None}


def share_done(progress: Progress) -> float | None:
    """Embedded tokens over all tokens, 0 to 1; None while the input is still being split.

    It is 1 only once finishing has begun.
    """
    if progress.state == JobState.SPLITTING or progress.tokens_total is None or progress.tokens_done is None:
        return None
    share = progress.tokens_done / progress.tokens_total if progress.tokens_total else 1.0
    return min(share, MOST_OF_A_SHARD) if progress.state == JobState.EMBEDDING else share


@dataclass(frozen=True, slots=True)
class Wait:
    """The reason why a job does not move, in words, and for how long that has been so, if it is known."""

    reason: str
    seconds: float | None = None


def job_progress(job: Job, *, shares: Mapping[int, float] = MappingProxyType({})) -> Progress:
    """Read a job's progress. `exit_code` is the one of a command that waits for the job.

    `shares` are of shards under way, by number: the part of each that is computed, 0 to 1.
    Raises DamagedError for a damaged run.json.
    """
    paths = job.paths
    done = shards_in(paths.embeddings, ".safetensors")
    quarantined = shards_in(paths.quarantine, ".json")
    shards_total = tokens_total = tokens_done = None
    with suppress(FileNotFoundError, DamagedError):  # finishing makes a damaged plan again
        plan = read_plan(paths.plan)
        planned = set(plan.to_embed)
        done = planned if exists(paths.run) else done & planned
        quarantined &= planned
        shards_total, tokens_total = len(plan.to_embed), plan.tokens
        tokens_done = sum(plan.shards[number].tokens for number in done)
        for number in (shares.keys() & planned) - done:
            tokens_done += int(min(shares[number], MOST_OF_A_SHARD) * plan.shards[number].tokens)
    state, message, exit_code, virus_records = _state(job, shards_total, len(done))
    return Progress(
        job_id=job.job_id,
        state=state,
        created_at=job.spec.created_at,
        shards_total=shards_total,
        shards_done=len(done),
        shards_quarantined=len(quarantined),
        tokens_total=tokens_total,
        tokens_done=tokens_done,
        message=message,
        exit_code=exit_code,
        virus_records=virus_records,
    )


def _state(job: Job, shards_total: int | None, shards_ended: int) -> tuple[JobState, str, ExitCode, int | None]:
    paths = job.paths
    # By reading, not by looking first: a job may be removed or resumed between the two.
    with suppress(FileNotFoundError):
        report = read_report(paths.run)
        return JobState.DONE, _final_message(report), report.exit_code, report.virus_records
    with suppress(FileNotFoundError):
        return JobState.FAILED, *_failure(paths.failed), None
    if exists(paths.cancelled):
        return JobState.CANCELLED, "cancelled", ExitCode.JOB_FAILED, None
    if shards_total is None:
        started = bool(shards_in(paths.shards, ".parquet")) or stage_is_under_way(paths.stage_attempts(SPLITTING))
        if not started and not exists(paths.root):
            raise JobError(
                f"its folder {paths.root} is gone",
                job_id=job.job_id,
                hint="something has removed it: repeat the command, with another folder if that happens again",
            )
        return (JobState.SPLITTING if started else JobState.QUEUED), "", ExitCode.OK, None
    if shards_ended < shards_total or not stage_is_under_way(paths.stage_attempts(FINISHING)):
        return JobState.EMBEDDING, "", ExitCode.OK, None
    return JobState.FINISHING, "", ExitCode.OK, None


def read_report(path: Path) -> RunReport:
    """Read run.json. Raises FileNotFoundError; DamagedError if an entry of RunReport is missing or of another type."""
    try:
        return decode(read_object(path), RunReport, path=path)
    except DamagedError:
        raise DamagedError(path, hint="delete it, and 'virnucpro resume' writes it again") from None


def _failure(path: Path) -> tuple[str, ExitCode]:
    try:
        failure = read_checked(path, Failure)
        return printable(failure.message), ExitCode(failure.exit_code)
    except (DamagedError, ValueError):
        lost = f"{path} is damaged: the reason is lost; 'virnucpro resume', or the same command, tries again"
        return lost, ExitCode.JOB_FAILED


def _final_message(report: RunReport) -> str:
    """The summary, the warnings, and the problems of the first records that have no score."""
    lines = [report.summary, *(f"warning: {text}" for text in report.warnings), *report.problems]
    more = report.counts.records.invalid + report.counts.records.quarantined - len(report.problems)
    return "\n".join([*map(printable, lines), *([f"and {more:,} more: see records.tsv"] if more > 0 else [])])
