"""The folder of results of a finished job, opened for reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virnucpro_tasks.errors import DamagedError, InputError, printable
from virnucpro_tasks.jobs.progress import RECORDS_FILE, RunReport
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.system.files import decode, file_matches, read_object

if TYPE_CHECKING:
    import pandas
    from Bio.SeqRecord import SeqRecord

CHUNKS_FILE = "chunks.tsv"
FRAMES_FILE = "prediction_results.txt"
SEQUENCES_FILE = "virus.fasta.gz"


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False, repr=False)
class Results:
    """Results of a finished job in `folder`; with `sample` those of one sample of its sample sheet.

    `run` is the content of run.json. Tables are read anew at each call.
    """

    folder: Path
    run: dict[str, Any]
    sample: str = ""
    _whole: Results | None = None
    """Those of all samples: what they keep, such as a temporary folder, is kept for those of one."""

    @property
    def path(self) -> Path:
        """The folder of the tables."""
        return self.folder / self.sample

    @property
    def summary(self) -> str:
        """One sentence: how many records became what."""
        return str(self.run["summary"])

    @property
    def warnings(self) -> list[str]:
        """Reasons to read the results with care."""
        return list(self.run["warnings"])

    @property
    def is_incomplete(self) -> bool:
        """Whether records are invalid or quarantined, and have no score for that."""
        return bool(self.run["incomplete"])

    @property
    def samples(self) -> dict[str, Results]:
        """The results of each sample, in the order of the sheet; empty without a sample sheet."""
        if self.sample:
            return {}
        return {name: replace(self, sample=name, _whole=self) for name in self.run.get("samples", {})}

    def records(self, *, columns: Iterable[str] | None = None) -> pandas.DataFrame:
        """records.tsv: a row for every record in input order, with all columns or with some.

        Raises BackendError without pandas, DamagedError for a table that is missing or damaged.
        """
        return self._table(RECORDS_FILE, columns)

    def chunks(self, *, columns: Iterable[str] | None = None) -> pandas.DataFrame:
        """chunks.tsv: a row for every chunk in input order, with all columns or with some; raises as `records` does."""
        return self._table(CHUNKS_FILE, columns)

    def frames(self) -> pandas.DataFrame:
        """prediction_results.txt: a row for every scored frame in input order, equal in both dialects.

        With a sample sheet the frames of all samples, with a last column `sample`. Raises as `records` does.
        """
        self._require_scores()
        from virnucpro_tasks.results.tables import join_samples, read_frames

        if samples := self.samples:
            return join_samples({name: sample.frames() for name, sample in samples.items()})
        return read_frames(self.path / FRAMES_FILE, self.path / CHUNKS_FILE)

    def viral_records(self) -> Iterator[SeqRecord]:
        """The sequences of virus.fasta.gz in input order, as Biopython records.

        `id` is that of the input and `description` its whole header; `annotations` has `virus_score` and `chunks`.
        Raises BackendError without Biopython, DamagedError for a file that is missing or damaged.
        """
        self._require_scores()
        from virnucpro_tasks.results.sequences import read_sequences

        if samples := self.samples:
            return chain.from_iterable(sample.viral_records() for sample in samples.values())
        return self._keeping(read_sequences(self.path / f"{self._prefix}{SEQUENCES_FILE}"))

    def verify(self) -> None:
        """Compare all files with their SHA-256 in run.json; raises DamagedError for the first that differs."""
        for name, sha256 in _report(self.run, self.folder).digests.items():
            if not file_matches(self.folder / name, sha256):
                raise DamagedError(self.folder / name, hint="copy the results again, or repeat the run with --force")

    @property
    def _prefix(self) -> str:
        return _report(self.run, self.folder).parameters.outputs.prefix

    def _table(self, name: str, columns: Iterable[str] | None) -> pandas.DataFrame:
        self._require_scores()
        from virnucpro_tasks.results.tables import read_frame

        return read_frame(self.path / name, columns=columns)

    def _require_scores(self) -> None:
        if not any(Path(name).name == RECORDS_FILE for name in self.run["sha256"]):
            raise InputError("nothing is scored: the bundle has no head", file=str(self.folder))

    def _keeping(self, records: Iterator[SeqRecord]) -> Iterator[SeqRecord]:
        """The records; these results, and so a temporary folder, are kept until they are read."""
        yield from records

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} in {self.path}", self.summary]
        return "\n".join(map(printable, [*lines, *(f"warning: {text}" for text in self.warnings)]))


def open_results(path: Path | str) -> Results:
    """Open the folder of results `path`, or that of one of its samples.

    Raises InputError if there is none, or its job has not finished; DamagedError for a damaged run.json.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError("there is no such folder", file=str(folder))
    try:
        return _opened(folder)
    except FileNotFoundError:
        pass
    try:
        whole = _opened(folder.absolute().parent)
        return whole.samples[folder.absolute().name]
    except (FileNotFoundError, KeyError):
        raise InputError(
            f"there is no {COMMIT_MARK}, which a finished job writes last",
            file=str(folder),
            hint="give the folder of --output, when the job has finished",
        ) from None


def _opened(folder: Path) -> Results:
    run = read_object(folder / COMMIT_MARK)
    _report(run, folder)
    return Results(folder, run)


def _report(run: dict[str, Any], folder: Path) -> RunReport:
    return decode(run, RunReport, path=folder / COMMIT_MARK)
