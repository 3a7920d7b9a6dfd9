"""`classify`: a one-shot job from Python, in a process of its own."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, TypedDict, Unpack

from virnucpro_tasks.errors import ExitCode, InputError, JobError, VirnucproError
from virnucpro_tasks.results import Results, open_results
from virnucpro_tasks.system.isolation import isolated_command
from virnucpro_tasks.system.processes import ends_within, exit_text, spawn
from virnucpro_tasks.system.temporary import TemporaryFolder

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

COMMAND_MODULE = "virnucpro_tasks.cli.called"
"""Runs `virnucpro`, and hands its error over as an object."""

PREFIX = "virnucpro-classify-"
STANDARD_INPUT = "-"
WHITE_SPACE = " \t\n\r\v\f"
"""Letters that end an id in a file."""
_LINE_ENDS = re.compile("[\r\n]+")
UNKNOWN = "<unknown description>"
"""Biopython's description of a record that was given none."""
WAITING_SECONDS = 3600.0
STOPPING_SECONDS = 60.0
"""Time that an interrupted job has to stop its workers, before it is killed."""


class Options(TypedDict, total=False):
    """The options of `virnucpro predict` by their names there, as `min_length` for `--min-length`; those without a
    value are true or false. `config` is the settings file."""

    config: Path | str
    samples: Path | str
    import_from: Path | str
    import_check: str
    expected_length: int
    allow_mismatch: bool
    min_length: int
    coverage: str
    both_strands: bool
    compat: str
    precision: str
    dialect: str
    strict: bool
    allow_empty: bool
    keep_embeddings: bool
    shard_tokens: int
    devices: str
    force: bool
    threads: int
    attention: str
    token_budget: int
    cpu_threads: int
    prefix: str
    no_report: bool
    preset: str
    min_score: float
    min_virus_length: int
    min_scored_fraction: float
    max_fdr: float
    prior: float


def classify(
    inputs: Path | str | SeqRecord | Iterable[Path | str | SeqRecord] = (),
    *,
    bundle: Path | str | None = None,
    output: Path | str | None = None,
    quiet: bool | None = None,
    **options: Unpack[Options],
) -> Results:
    """Classify `inputs` as `virnucpro predict` does, and return the opened results.

    `inputs` are paths of FASTA, FASTQ or BAM files, or Biopython records; one or several. `bundle` is a folder or
    "demo", by default what the settings say. Results go to the folder `output`, without it to a temporary one, which
    is removed with the returned object. Progress is shown on standard error if that is a terminal, or as `quiet` says.
    Records that are invalid or quarantined are no error: see `Results.is_incomplete`.

    Blocks until the job has ended; Ctrl-C, or the interruption of a notebook, stops it. Raises VirnucproError, of the
    kind and with the exit code that the command ends with; TypeError for inputs of several kinds.
    """
    temporary = TemporaryFolder(PREFIX) if output is None else None
    place = temporary.path / "results" if temporary is not None else Path(output or "").absolute()
    is_quiet = not sys.stderr.isatty() if quiet is None else quiet
    flags = ["--output", str(place), "--incomplete-ok", "--json", *(["--quiet"] if is_quiet else [])]
    if bundle is not None:
        flags += ["--bundle", os.fspath(bundle)]
    config = options.pop("config", None)
    try:
        with TemporaryFile() as sequences:
            paths = _paths(inputs, sequences)
            _run(
                [*(["--config", os.fspath(config)] if config is not None else []), "predict"],
                [*flags, *_flags(options), "--", *paths],
                sequences,
                is_quiet=is_quiet,
            )
        found = open_results(place)
    except BaseException:
        if temporary is not None:
            temporary.remove()
        raise
    if temporary is not None:
        weakref.finalize(found, temporary.remove)
    return found


def _paths(inputs: Any, sequences: IO[bytes]) -> list[str]:
    """The paths among `inputs`; if they are records, these are written to `sequences`, which is standard input."""
    if isinstance(inputs, (str, os.PathLike)) or _is_record(inputs):
        inputs = [inputs]
    upcoming = iter(inputs)
    first = next(upcoming, None)
    if first is None:
        return []
    if _is_record(first):
        _write_fasta(chain([first], upcoming), sequences)
        return [STANDARD_INPUT]
    paths = []
    for item in chain([first], upcoming):
        if not isinstance(item, (str, os.PathLike)):
            raise TypeError(f"inputs are paths, or records of Biopython, not both, and no {type(item).__name__}")
        path = os.fspath(item)
        paths.append(path if path != STANDARD_INPUT else f"./{path}")
    return paths


def _is_record(item: Any) -> bool:
    return all(hasattr(item, name) for name in ("id", "seq", "description"))


def _write_fasta(records: Iterable[Any], file: IO[bytes]) -> None:
    """Write Biopython records, each header as `Bio.SeqIO` would, but with the id as it is."""
    for number, record in enumerate(records, start=1):
        if not _is_record(record):
            raise TypeError(f"inputs are records of Biopython, or paths, not both, and no {type(record).__name__}")
        if not isinstance(record.id, str) or not record.id or any(white in record.id for white in WHITE_SPACE):
            raise InputError(f"its id {record.id!r} is not one word", file=f"record {number}", hint="set record.id")
        if record.seq is None:
            raise InputError("it has no sequence", file=f"record {number}")
        try:
            letters = bytes(record.seq)
        except Exception as error:  # Biopython's own, which need not be installed
            raise InputError(f"its sequence is not defined: {error}", file=f"record {number}") from error
        header = _header(record.id, record.description).encode(errors="surrogateescape")
        file.write(b">%b\n%b\n" % (header, letters))
    file.seek(0)


def _header(record_id: str, description: str) -> str:
    """The header line of a record, whose description may begin with its id; line ends in it become spaces."""
    title = _LINE_ENDS.sub(" ", description).strip(WHITE_SPACE)
    if title in ("", UNKNOWN):
        return record_id
    begins_with_id = title.startswith(record_id) and title[len(record_id) : len(record_id) + 1] in ("", *WHITE_SPACE)
    return title if begins_with_id else f"{record_id} {title}"


def _flags(options: Mapping[str, Any]) -> list[str]:
    """Keywords as flags of the command line."""
    flags = []
    for name, value in options.items():
        if name not in Options.__annotations__:
            raise TypeError(
                f"classify() has no option {name!r}; there are {', '.join(sorted(Options.__annotations__))}"
            )
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            flags.append(flag)
        elif value is not None and value is not False:
            flags.append(f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return flags


def _run(command: Sequence[str], arguments: Sequence[str], sequences: IO[bytes], *, is_quiet: bool) -> None:
    """Run `virnucpro` in a process of its own until it ends; raises the error that it ends with."""
    with TemporaryFile() as answer, TemporaryFile() as report, TemporaryFile() as messages:
        process = spawn(
            isolated_command(COMMAND_MODULE, str(answer.fileno()), *command, *arguments),
            stdin=sequences.fileno(),
            output=report,
            errors=messages if is_quiet else None,
            pass_fds=(answer.fileno(),),
        )
        _wait(process)
        if process.returncode == ExitCode.OK:
            return
        for file in (answer, report, messages):
            file.seek(0)
        raise _error_of(process.returncode, answer.read(), report.read(), messages.read())


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of `process`; if this is interrupted, so is the process."""
    try:
        while not ends_within(process, WAITING_SECONDS):
            pass
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            ends_within(process, STOPPING_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        raise


def _error_of(status: int, answer: bytes, report: bytes, messages: bytes) -> VirnucproError:
    """The error with which a command ended: handed over as it is, or said in its report or its last message."""
    if answer:
        error: VirnucproError = pickle.loads(answer)
        return error
    if status not in list(ExitCode):
        return JobError(f"the command {exit_text(status)}", job_id="")
    message = json.loads(report)["message"] if report else messages.decode(errors="replace").strip().rpartition("\n")[2]
    message = message.removeprefix("virnucpro: error: ") or f"the command {exit_text(status)}"
    error = InputError(message, file="") if status == ExitCode.BAD_INPUT else JobError(message, job_id="")
    error.exit_code = ExitCode(status)
    return error
