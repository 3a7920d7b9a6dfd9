"""Settings of a job that computes as the original tool did: what --compat original stands for besides its reading."""

from __future__ import annotations

from dataclasses import replace

from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings

ORIGINAL_DIALECT, ORIGINAL_PRECISION = "original", "fp32"


def by_original_rules(
    settings: Settings,
    compat: Compat,
    *,
    min_length: int | None,
    coverage: Coverage,
    both_strands: bool,
    asked_by: str = "",
) -> tuple[Settings, int | None]:
    """The settings and the least length of a record in bases; as they are unless the original's rules are asked for.

    Those score records of any length, in FP32 unless another precision is named. Raises SettingsError for what
    contradicts them, in which `asked_by` may say how they were asked for. A dialect may be that of --layout, or of the
    settings.
    """
    if compat is not Compat.ORIGINAL:
        return settings, min_length
    contradictions = {
        f"--min-length {min_length}": bool(min_length),
        f"the dialect {settings.dialect}": settings.dialect != ORIGINAL_DIALECT,
        f"--coverage {coverage}": coverage is not Coverage.FRAMES,
        "--both-strands": both_strands,
    }
    for option, contradicts in contradictions.items():
        if contradicts:
            raise SettingsError(
                f"--compat original{asked_by} and {option} contradict each other",
                hint="the original scores records of any length by their open frames, and writes its own files",
            )
    return replace(settings, precision=settings.precision or ORIGINAL_PRECISION), 0
