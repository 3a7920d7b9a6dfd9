"""What a tool says of contigs, in one form for all tools, and how its tables are read."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from virnucpro_tasks.errors import InputError

Row = dict[str, str]
NOT_AVAILABLE = "NA"


@dataclass(frozen=True, slots=True)
class ToolScores:
    """By id of a contig: its `scores` (0 to 1, higher for viruses), whether it is called a virus, and its `fdr`.

    A contig that the tool says nothing of is in none of them: it has no score and is called other. `fdr` is the rate of
    false discoveries among the contigs with at least its score, where the tool tells it. A method that `only_ranks`
    calls nothing, and its scores are no probabilities.
    """

    scores: dict[str, float]
    calls: dict[str, bool]
    fdr: dict[str, float] = field(default_factory=dict)
    score_name: str = "virus_score"
    only_ranks: bool = False


def read_rows(path: Path, needed: Sequence[str]) -> list[Row]:
    """The rows of a tab-separated table with a header. Raises InputError if it, or a `needed` column, is missing."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t", restval="")
            if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
                raise InputError(f"has no column {missing[0]!r}", file=str(path), line=1)
            return list(reader)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def number(row: Row, column: str, path: Path) -> float | None:
    """The number in a column; None for NA or nothing. Raises InputError for any other text."""
    text = row[column]
    if text in ("", NOT_AVAILABLE):
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{column} {text!r} is no number", file=str(path)) from None


def one_file(folder: Path, pattern: str, *, but: str | Sequence[str] = ()) -> Path:
    """The one file in `folder`, at any depth, that fits `pattern` and none of `but`; or `folder` if it is a file.

    Raises InputError if there is none or several.
    """
    if folder.is_file():
        return folder
    unwanted = (but,) if isinstance(but, str) else but
    found = [path for path in sorted(folder.rglob(pattern)) if not any(path.match(other) for other in unwanted)]
    if len(found) != 1:
        raise InputError(f"has {len(found)} files {pattern}, not one", file=str(folder))
    return found[0]
