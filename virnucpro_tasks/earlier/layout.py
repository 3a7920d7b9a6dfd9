"""Recognises a folder of an earlier tool: which tool, which files may hold vectors, what its notes say about them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from virnucpro_tasks.earlier.feature_files import HDF5_MAGIC
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.system.file_errors import cause_of

STATE_FILE = Path(".checkpoints") / "pipeline_state.json"
LOGS = Path("esm_v2") / "logs"
INDEX_FILE = Path("esm_v2") / "sequence_index.json"
MANIFEST_FILE = Path(".checkpoints") / "manifest.json"
_ORIGINAL_NAME = re.compile(r".+_identified_(?:nucleotide|protein)\.\w+")
_SHARD = re.compile(r"shard_(\d+)")
_RESUMED = b"resumed"
_ZIP_MAGIC = b"PK\x03\x04"
_DONE = ".done"
_VECTOR_SUFFIXES = (".pt", ".h5")
DEEPEST = 2
"""Folders below the folder of a run in which its files lie."""

LARGEST_NOTE_BYTES = 2**30
LONGEST_LINE_BYTES = 2**20
MOST_WORKERS = 4_096
LONGEST_CHUNK = 10**9
"""Bases; a note with a larger number, or none above 0, says nothing."""


class Tool(StrEnum):
    """The tool that made a folder."""

    ORIGINAL = "original"
    PACKAGE_1 = "package 1.0"
    PACKAGE_2 = "package 2.0"


_OF_INPUT = re.compile(r"(.+)_(?:nucleotide|protein|merged|chunked\d+|identified_(?:nucleotide|protein))(?:\.\w+)?")
"""Names of files and folders that begin with the name of their input."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder of an earlier tool.

    `vectors` are the files that may hold vectors, in the order in which they are believed: checkpoints, then files of
    one kind, joined ones, HDF5. `sequences` are FASTA files. `chunk_length` is that of its last run, if it says so.
    `cut_between` is from when to when it wrote its sequences (seconds since 1970), by the notes of the package.
    `may_be_resumed` tells of workers of version 2.0 that were resumed, or of which it cannot be told. `lost` are the
    marks of completeness without their files.
    """

    folder: Path
    tool: Tool
    vectors: tuple[Path, ...]
    sequences: tuple[Path, ...]
    chunk_length: int | None
    may_be_resumed: bool
    lost: tuple[Path, ...] = ()
    cut_between: tuple[float, float] | None = None

    def name_of(self, file: Path) -> str:
        """The name of `file` in reports: its place in the folder."""
        return str(file.relative_to(self.folder))

    def of_inputs(self, names: Sequence[str]) -> Layout:
        """Without what lies there of runs on other inputs, if files are named after one of these.

        Two assemblies have many ids in common. Names only tell where to look, they prove nothing.
        """
        files = [Path(name) for name in names]
        stems = {stem for file in files for stem in (file.name.partition(".fa")[0], file.stem)}
        found = {file: self._stem(file) for file in (*self.vectors, *self.sequences, *self.lost)}
        if not stems & set(found.values()):
            return self

        def kept(files: tuple[Path, ...]) -> tuple[Path, ...]:
            return tuple(file for file in files if found[file] is None or found[file] in stems)

        return replace(self, vectors=kept(self.vectors), sequences=kept(self.sequences), lost=kept(self.lost))

    def _stem(self, file: Path) -> str | None:
        """The name of the input that `file` is of, None if its name does not say."""
        matched = _OF_INPUT.fullmatch(file.relative_to(self.folder).parts[0])
        return matched[1] if matched else None


def find_layout(folder: Path) -> Layout:
    """Recognise `folder`. Raises InputError for one that cannot be read, or is of none of the tools."""
    try:
        files = list(_files(folder))
    except OSError as error:
        cause = cause_of(error, folder)
        raise InputError(cause.words, file=str(folder), hint=cause.advice) from None
    state = read_note(folder / STATE_FILE)
    is_package = isinstance(state, dict) and isinstance(state.get("stages"), dict)
    if not is_package and not any(_ORIGINAL_NAME.fullmatch(file.name) for file in files):
        raise InputError(
            "it is no folder of the original tool, nor of version 1.0 or 2.0 of the package",
            file=str(folder),
            hint=f"one of these has *_identified_nucleotide.fa, or {STATE_FILE}",
        )
    workers = [file for file in files if _SHARD.fullmatch(file.parent.name) or _SHARD.fullmatch(file.stem)]
    has_workers = bool(workers) or (folder / "esm_v2").is_dir()
    tool = Tool.ORIGINAL if not is_package else Tool.PACKAGE_2 if has_workers else Tool.PACKAGE_1
    chunk_length = None
    if is_package:
        settings = state.get("pipeline_config")
        stated = settings.get("expected_length") if isinstance(settings, dict) else None
        # True is an int, too.
        chunk_length = stated if type(stated) is int and 0 < stated <= LONGEST_CHUNK else None
    names = set(files)
    return Layout(
        folder=folder,
        tool=tool,
        vectors=tuple(sorted((file for file in files if _may_hold_vectors(file)), key=_belief)),
        sequences=tuple(file for file in files if _begins_with(file, b">")),
        chunk_length=chunk_length,
        may_be_resumed=has_workers and _may_be_resumed(folder, workers),
        lost=tuple(
            file
            for file in files
            if file.name.endswith(_DONE) and file.with_name(file.name[: -len(_DONE)]) not in names
        ),
        cut_between=_cut_between(state["stages"]) if is_package else None,
    )


def _cut_between(stages: dict[str, Any]) -> tuple[float, float] | None:
    """The begin and the end of the stages that write sequences; None if the notes do not have both."""
    try:
        begin, end = stages["TRANSLATION"]["started_at"], stages["PROTEIN_SPLITTING"]["completed_at"]
        # They are in UTC, and do not say so.
        return datetime.fromisoformat(f"{begin}+00:00").timestamp(), datetime.fromisoformat(f"{end}+00:00").timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def is_earlier_work(folder: Path) -> bool:
    """Whether `folder` is one of an earlier tool."""
    try:
        find_layout(folder)
    except InputError:
        return False
    return True


def original_folder(source: Path) -> Path | None:
    """The folder of the input `source` if the original tool has worked on it there; None if not."""
    stem = source.name.partition(".fa")[0]
    return source.parent if (source.parent / f"{stem}_identified_nucleotide.fa").is_file() else None


def read_note(file: Path) -> Any:
    """The content of a JSON file of an earlier tool; None if there is none, or it is damaged."""
    try:
        if file.stat().st_size > LARGEST_NOTE_BYTES:
            return None
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """The files of a run, sorted; folders of other runs in it, and links to folders, are left out."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        path = folder / entry.name
        if entry.is_file():
            yield path
        elif depth < DEEPEST and entry.is_dir(follow_symlinks=False) and not (path / STATE_FILE).exists():
            yield from _files(path, depth + 1)


def _may_hold_vectors(file: Path) -> bool:
    # One that was cut off to nothing has only its name.
    return file.suffix in _VECTOR_SUFFIXES or _begins_with(file, _ZIP_MAGIC) or _begins_with(file, HDF5_MAGIC)


def _begins_with(file: Path, magic: bytes) -> bool:
    try:
        with file.open("rb") as handle:
            return handle.read(len(magic)) == magic
    except OSError:
        return False


def _belief(file: Path) -> tuple[int, list[int], str]:
    numbers = [int(digits) for digits in re.findall(r"\d+", file.name)]
    if _SHARD.fullmatch(file.parent.name):
        return 0, numbers, str(file)
    if _begins_with(file, HDF5_MAGIC):
        return 3, numbers, str(file)
    return 2 if "merged" in file.name else 1, numbers, str(file)


def _may_be_resumed(folder: Path, workers: list[Path]) -> bool:
    """Whether a worker of version 2.0 was resumed, or that cannot be excluded because a log is missing or empty."""
    ranks = {
        found[1] for file in workers for name in (file.parent.name, file.stem) if (found := _SHARD.fullmatch(name))
    }
    manifest = read_note(folder / MANIFEST_FILE)
    stated = manifest.get("world_size") if isinstance(manifest, dict) else None
    if isinstance(stated, int) and stated <= MOST_WORKERS:
        ranks |= {str(rank) for rank in range(stated)}
    logs = list((folder / LOGS).glob("worker_*.log"))
    if not logs or ranks - {log.stem.removeprefix("worker_") for log in logs}:
        return True
    try:
        return any(not log.stat().st_size or _mentions(log, _RESUMED) for log in logs)
    except OSError:
        return True


def _mentions(file: Path, word: bytes) -> bool:
    """Whether a text file has a word, in whatever case."""
    with file.open("rb") as handle:
        return any(word in line.lower() for line in iter(partial(handle.readline, LONGEST_LINE_BYTES), b""))
