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

    `min_score` is P(virus), `min_length` bases, `min_scored_fraction` the share of bases in scored chunks; `max_fdr` is
    the highest false-discovery rate, None for any.
    """

    min_score: float
    min_length: int = 0
    min_scored_fraction: float = 0.0
    max_fdr: float | None = None


DEFAULT_PRESET = "default"

PRESETS = MappingProxyType(
    {
        "conservative": Cutoffs(min_score=0.7, min_length=500, min_scored_fraction=0.5),
        DEFAULT_PRESET: Cutoffs(min_score=0.5),
        "relaxed": Cutoffs(min_score=0.35),
    }
)
"""Cutoffs by name, for jobs without false-discovery rates; those of DEFAULT_PRESET select the records that are called
virus. docs/outputs.md gives reasons.
"""

FALSE_DISCOVERY_LEVELS = MappingProxyType({"conservative": 0.05, DEFAULT_PRESET: 0.1, "relaxed": 0.2})
"""The highest false-discovery rate by preset: where a job has such rates, they take the place of PRESETS."""


class OutputOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Choice and names of the result files that a job has besides the tables.

    `prefix` stands before the names of these files; without `report` there is no report.html. `preset` is the name of
    the preset that `cutoffs` come from, with other values where the user gave some; `rate_cutoffs` take their place if
    the job has false-discovery rates. `prior` is the share of viruses that these rates are for, None if it is to be
    estimated. `asks_for_rates` says that the user gave a rate, be it that of the preset: `cutoffs` do not stand for it.
    """

    prefix: str = ""
    report: bool = True
    preset: str = DEFAULT_PRESET
    cutoffs: Cutoffs = PRESETS[DEFAULT_PRESET]
    rate_cutoffs: Cutoffs = Cutoffs(min_score=0.0, max_fdr=FALSE_DISCOVERY_LEVELS[DEFAULT_PRESET])
    prior: float | None = None
    asks_for_rates: bool = False

    def cutoffs_of(self, *, has_rates: bool) -> Cutoffs:
        """The cutoffs of a job with or without false-discovery rates."""
        return self.rate_cutoffs if has_rates else self.cutoffs


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
    max_fdr: float | None = None,
    prior: float | None = None,
) -> OutputOptions:
    """Output options from what a user gave; cutoffs that are None are those of the preset.

    Where a job has false-discovery rates, the level of the preset takes the place of its other cutoffs, unless the user
    gave a least score. Raises SettingsError for a prefix that cannot begin a name, and for a cutoff out of its range.
    """
    if not is_prefix(prefix):
        raise SettingsError(
            f"--prefix {ascii(prefix)[:80]} cannot begin the name of a file",
            hint=f"letters, digits, '_', '-' and '.', {MOST_PREFIX_LETTERS} at most, a letter, digit or '_' first",
        )
    given = {
        "min_score": min_score,
        "min_length": min_length,
        "min_scored_fraction": min_scored_fraction,
        "max_fdr": max_fdr,
    }
    for name, value in given.items():
        most = math.inf if name == "min_length" else 1
        # Not a number is in no range.
        if value is not None and not 0 <= value <= most:
            raise SettingsError(f"{name} is {value}", hint="0 or more" if most > 1 else "0 to 1")
    if prior is not None and not 0 < prior < 1:
        raise SettingsError(f"prior is {prior}", hint="a share of viruses, above 0 and below 1")
    chosen = {name: value for name, value in given.items() if value is not None}
    by_rate = msgspec.structs.replace(Cutoffs(min_score=0.0, max_fdr=FALSE_DISCOVERY_LEVELS[preset]), **chosen)
    chosen.pop("max_fdr", None)
    by_score = msgspec.structs.replace(PRESETS[preset], **chosen)
    if min_score is not None and max_fdr is None:
        by_rate = by_score
    return OutputOptions(prefix, report, preset, by_score, by_rate, prior, asks_for_rates=max_fdr is not None)
