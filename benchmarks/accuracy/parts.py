"""Parts of the contigs that have a row of their own: by length, by kind, and pairs of kinds that are often confused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.cut import Contig
from virnucpro_tasks.heads.metrics import length_classes

PHAGE, ARCHAEAL_VIRUS = "phage", "archaeal virus"
BACTERIA, ARCHAEA, PLASMID = "bacteria", "archaea", "plasmid"
"""Kinds that rows below name; tables of kinds may have any others, such as `eukaryotic virus` and `eukaryote`."""

ALL = "all"
REST = "without phages, archaea and their viruses"
PAIRS = {
    "phage against bacteria and archaea": (PHAGE, BACTERIA, ARCHAEA),
    "phage against bacteria, archaea and plasmids": (PHAGE, BACTERIA, ARCHAEA, PLASMID),
}


def parts(contigs: Sequence[Contig]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the name of each part that has contigs of both classes, and which contigs (n,) are in it.

    A kind of viruses is set against all others, a kind of others against all viruses.
    """
    for name, inside in _all_parts(contigs):
        classes = {contig.source.virus for contig, chosen in zip(contigs, inside, strict=True) if chosen}
        if len(classes) == 2:
            yield name, inside


def _all_parts(contigs: Sequence[Contig]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    virus = np.array([contig.source.virus for contig in contigs], dtype=bool)
    kinds = np.array([contig.source.kind for contig in contigs], dtype=object)
    yield ALL, np.ones(len(contigs), dtype=bool)
    rest = ~np.isin(kinds, (PHAGE, ARCHAEAL_VIRUS, ARCHAEA))
    if not rest.all():
        yield REST, rest
    by_length = list(length_classes(np.array([len(contig.sequence) for contig in contigs], dtype=np.int64)))
    if len(by_length) > 1:
        for name, inside in by_length:
            yield name, inside
            if not rest.all():
                yield f"{name}, {REST}", inside & rest
    for name, pair in PAIRS.items():
        if set(pair) <= set(kinds.tolist()):
            yield name, np.isin(kinds, pair)
    for kind in sorted(set(kinds.tolist())):
        of_kind = kinds == kind
        if virus[of_kind].all():
            yield f"{kind} against all others", of_kind | ~virus
        elif not virus[of_kind].any():
            yield f"{kind} against all viruses", of_kind | virus
