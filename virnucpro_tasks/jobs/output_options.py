"""Options of the result files: names, the report, and the records whose sequences are handed on."""

from __future__ import annotations

import math
import re
from types import MappingProxyType

import msgspec

from virnucpro_tasks.errors import SettingsError

MOST_PREFIX_LETTERS = 100
_PREFIX = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)?")


class Cutoffs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The least values of a record whose sequence goes to virus.fasta.gz.

    `min_score` is P(virus), `min_length` bases, `min_scored_fraction` the share of bases in scored chunks.
    """

    min_score: float
    min_length: int = 0
    min_scored_fraction: float = 0.0


DEFAULT_PRESET = "default"

PRESETS = MappingProxyType(
    {
        "conservative": Cutoffs(min_score=0.7, min_length=500, min_scored_fraction=0.5),
        DEFAULT_PRESET: Cutoffs(min_score=0.5),
        "relaxed": Cutoffs(min_score=0.35),
    }
)
"""Cutoffs by name; those of DEFAULT_PRESET select the records that are called virus. docs/outputs.md gives reasons."""


class OutputOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Choice and names of the result files that a job has besides the tables.

    `prefix` stands before the names of these files; without `report` there is no report.html. `preset` is the name of
    the preset that `cutoffs` come from, with other values where the user gave some.
    """

    prefix: str = ""
    report: bool = True
    preset: str = DEFAULT_PRESET
    cutoffs: Cutoffs = PRESETS[DEFAULT_PRESET]


ALL_FILES = OutputOptions()
TABLES_ONLY = OutputOptions(report=False)


def is_prefix(text: str) -> bool:
    """Whether `text` can begin the name of a file."""
    return len(text) <= MOST_PREFIX_LETTERS and _PREFIX.fullmatch(text) is not None


def output_options(
    *,
    prefix: str = "",
    report: bool = True,
    preset: str = DEFAULT_PRESET,
    min_score: float | None = None,
    min_length: int | None = None,
    min_scored_fraction: float | None = None,
) -> OutputOptions:
    """Output options from what a user gave; cutoffs that are None are those of the preset.

    Raises SettingsError for a prefix that cannot begin a name, and for a cutoff out of its range.
    """
    if not is_prefix(prefix):
        raise SettingsError(
            f"--prefix {ascii(prefix)[:80]} cannot begin the name of a file",
            hint=f"letters, digits, '_', '-' and '.', {MOST_PREFIX_LETTERS} at most, a letter, digit or '_' first",
        )
    given = {"min_score": min_score, "min_length": min_length, "min_scored_fraction": min_scored_fraction}
    for name, value in given.items():
        most = math.inf if name == "min_length" else 1
        # Not a number is in no range.
        if value is not None and not 0 <= value <= most:
            raise SettingsError(f"{name} is {value}", hint="0 or more" if most > 1 else "0 to 1")
    chosen = {name: value for name, value in given.items() if value is not None}
    return OutputOptions(prefix, report, preset, msgspec.structs.replace(PRESETS[preset], **chosen))
