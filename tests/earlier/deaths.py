"""Runs of the earlier tools that died, in every stage and in every way, as they leave their folders."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from earlier.folders import STAGES, Computed, Folder

from virnucpro_tasks.earlier.reasons import Reason
from virnucpro_tasks.shards.kinds import NUCLEOTIDE, PROTEIN

TOOLS: dict[str, dict[str, Any]] = {
    "original": {"tool": "original"},
    "package 1.0": {"tool": "v1"},
    "package 2.0": {"tool": "v2", "checkpoints": True},
}
VECTOR_STAGES = ("NUCLEOTIDE_FEATURES", "PROTEIN_FEATURES", "FEATURE_MERGING")
ONE_FILE_STAGES = ("CHUNKING", "PREDICTION", "CONSENSUS")
PAGE_BYTES = 4_096


@dataclass(slots=True)
class Died:
    """A run that died while it wrote `files`.

    `whole` are the files of vectors that can be used; `damaged` counts those of which can be seen that they cannot.
    """

    folder: Folder
    files: list[Path]
    whole: set[Path]
    damaged: int = 0

    def require_account(self, imported: dict[str, Any]) -> None:
        """Check the section `imported` of run.json: of the files that are whole each sequence has a vector, further
        ones of it are said to repeat that, and each damaged file is named.
        """
        repeated = 0
        for kind, texts in ((NUCLEOTIDE, self.folder.run.nucleotides), (PROTEIN, self.folder.run.proteins)):
            held = [places for file in self.whole for of, places in self.folder.held[file] if of == kind]
            places = list(chain.from_iterable(held))
            found = len({texts[place] for place in places})
            assert imported["found"][kind] == found
            assert imported["wanted"][kind] == len(set(texts))
            repeated += len(places) - found
        discarded: Counter[str] = Counter()
        for source in imported["sources"]:
            discarded.update(source.get("discarded", {}))
        assert discarded == ({Reason.REPEATED: repeated} if repeated else {})
        assert sum("unusable" in source for source in imported["sources"]) == self.damaged

    def lose(self, *files: Path) -> None:
        """Remove files with their marks."""
        for file in files:
            file.unlink()
            mark_of(file).unlink(missing_ok=True)
            self.whole.discard(file)

    def cut(self, file: Path, size: int, *, marked: bool = False) -> None:
        """Leave the beginning of a file."""
        file.write_bytes(file.read_bytes()[:size])
        if not marked:
            mark_of(file).unlink(missing_ok=True)
        self._damage(file)

    def hide(self, file: Path) -> None:
        """Leave half of a file under its temporary name."""
        mark_of(file).unlink(missing_ok=True)
        hidden = file.rename(file.with_suffix(".tmp"))
        hidden.write_bytes(hidden.read_bytes()[: _half(hidden)])
        self._damage(file)

    def leave_mark(self, file: Path) -> None:
        """Leave the mark of a file alone."""
        file.unlink()
        self._damage(file)

    def not_completed(self, file: Path) -> None:
        """Leave a file as it is between the two times that the package writes it."""
        torch.save(torch.load(file) | {"status": "in_progress"}, file)
        mark_of(file).unlink()
        self._damage(file)

    def _damage(self, file: Path) -> None:
        self.damaged += file in self.whole
        self.whole.discard(file)


def mark_of(file: Path) -> Path:
    """The mark that says that a file is whole."""
    return file.with_name(file.name + ".done")


def _half(file: Path) -> int:
    return file.stat().st_size // 2


def _within_first(run: Died) -> None:
    first, *others = run.files
    run.lose(*others)
    run.cut(first, _half(first))


def _disk_full(run: Died) -> None:
    """Whole pages were written, and the mark, which has no content."""
    last = run.files[-1]
    run.cut(last, (last.stat().st_size - 1) // PAGE_BYTES * PAGE_BYTES, marked=True)


DEATHS: dict[str, Callable[[Died], None]] = {
    "before the first file": lambda run: run.lose(*run.files),
    "within the first file": _within_first,
    "between two files": lambda run: run.lose(*run.files[1:]),
    "within the last file": lambda run: run.cut(run.files[-1], _half(run.files[-1])),
    "an empty file": lambda run: run.cut(run.files[-1], 0),
    "a full disk": _disk_full,
    "before the last file is renamed": lambda run: run.hide(run.files[-1]),
    "before the last file is completed": lambda run: run.not_completed(run.files[-1]),
    "before the last mark": lambda run: mark_of(run.files[-1]).unlink(),
    "a mark without its file": lambda run: run.leave_mark(run.files[-1]),
    "before the state": lambda run: None,
}
OF_SEVERAL_FILES = ("within the first file", "between two files")
OF_MARKED_FILES = ("before the last file is completed", "before the last mark", "a mark without its file")
OF_THE_PACKAGE = ("before the last file is renamed", "before the state")


def happens(tool: str, stage: str, death: str) -> bool:
    """Whether a run of a tool can die so: only the package renames files, marks those of vectors and keeps a state."""
    if death in OF_SEVERAL_FILES:
        return stage not in ONE_FILE_STAGES
    if death in OF_MARKED_FILES:
        # Version 2.0 copies the vectors of its workers into files without marks.
        return tool != "original" and stage in VECTOR_STAGES and (tool, stage) != ("package 2.0", "PROTEIN_FEATURES")
    return tool != "original" or death not in OF_THE_PACKAGE


CASES = [(tool, stage, death) for tool in TOOLS for stage in STAGES for death in DEATHS if happens(tool, stage, death)]
WITHOUT_RESULTS = [
    (tool, stage, death)
    for tool, stage, death in CASES
    if (stage not in VECTOR_STAGES or (tool, stage) == ("package 2.0", "NUCLEOTIDE_FEATURES"))
    and (tool, stage) != ("original", "CHUNKING")
    and death != "before the first file"
]
"""Deaths that leave no vectors, or all of them, in a folder that is recognised, or what version 1.0 leaves as well.

What is taken over says enough of them.
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """The folder of a finished run, whose vectors are exactly those of that run here, with the files of each stage."""

    folder: Folder
    files: dict[str, list[Path]]

    @classmethod
    def of(cls, root: Path, run: Computed, tool: str) -> Finished:
        """Make the folder `root` of a run of `tool`."""
        folder = Folder(root, run, rounded=False, **TOOLS[tool])
        return cls(folder, folder.stage_files())

    def died(self, root: Path, stage: str, death: str) -> Died:
        """Make the folder `root` of a run that died in `stage`."""
        shutil.copytree(self.folder.root, root)

        def there(file: Path) -> Path:
            return root / file.relative_to(self.folder.root)

        folder = replace(self.folder, root=root, held={there(file): held for file, held in self.folder.held.items()})
        files = {name: [there(file) for file in files] for name, files in self.files.items()}
        number = STAGES.index(stage)
        left = Died(folder, files[stage], set(folder.held))
        left.lose(*(file for later in STAGES[number + 1 :] for file in files[later]))
        if number < STAGES.index("PROTEIN_FEATURES"):
            # Of the workers of version 2.0 there are no logs yet, either.
            shutil.rmtree(root / "esm_v2", ignore_errors=True)
        DEATHS[death](left)
        if not folder.is_original:
            folder.state(number)
        return left
