"""The records that are judged: those of some genera, or of none of some, or dated after a day."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date, timedelta

from benchmarks.accuracy.sources import Source
from virnucpro_tasks.errors import InputError

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def judged(
    sources: Sequence[Source],
    *,
    genera: Collection[str] | None = None,
    not_genera: Collection[str] = (),
    after: str = "",
) -> list[Source]:
    """Those of `sources` whose genus is among `genera` and none of `not_genera`, and whose date is `after` that date.

    A record without a genus is of none; one without a date, or with one that may be earlier (2020 is not after
    2020-05), is left out where `after` is given. Genera are compared without regard to case. Raises InputError for a
    date that is none, and if nothing is left of a class.
    """
    wanted = None if genera is None else {genus.lower() for genus in genera}
    unwanted = {genus.lower() for genus in not_genera}
    limit = _days(after)[1] if after else None
    kept = [
        source
        for source in sources
        if (wanted is None or source.genus.lower() in wanted)
        and source.genus.lower() not in unwanted
        and (limit is None or (source.date != "" and _days(source.date)[0] > limit))
    ]
    for virus, name in ((True, "viruses"), (False, "others")):
        if not any(source.virus == virus for source in kept):
            raise InputError(f"no record of {name} is left", file="the labelled records", hint="widen the split")
    return kept


def _days(text: str) -> tuple[date, date]:
    """The first and the last day that a date of YYYY, YYYY-MM or YYYY-MM-DD can be."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise InputError(f"{text!r} is no date", file="the labelled records", hint="YYYY, YYYY-MM or YYYY-MM-DD")
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
    except ValueError:
        raise InputError(f"{text!r} is no date", file="the labelled records") from None
    if day:
        return first, first
    following = date(first.year + 1, 1, 1) if not month or month == 12 else date(first.year, month + 1, 1)
    return first, following - timedelta(days=1)
