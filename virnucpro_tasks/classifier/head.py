"""Heads: the classifiers on joined vectors, by kind. In NumPy, because a finishing process needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from virnucpro_tasks.classifier.head_files import CONFIG_FILE, HeadFiles
from virnucpro_tasks.classifier.mlp import MlpHead
from virnucpro_tasks.classifier.short_records import ShortRecordsHead
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.sizes import PUBLISHED_KIND, SHORT_KIND


class Head(Protocol):
    """A classifier of frames. One that asks for the lengths of records too is a `ShortRecordsHead`."""

    def scores(self, nucleotide: np.ndarray, protein: np.ndarray) -> np.ndarray:
        """P(others) and P(virus) of each row, float32 (n, 2).

        `nucleotide` is (n, nucleotide width), `protein` (n, protein width), float32, row by row of the same frames.
        A row's scores are bit for bit the same whatever other rows are given and wherever it stands; a row with a NaN
        gets NaN.
        """
        ...


KINDS: dict[str, Callable[[HeadFiles], Head]] = {PUBLISHED_KIND: MlpHead.of, SHORT_KIND: ShortRecordsHead.of}
"""How a head of each `kind` in head/config.json is made; it checks its tensors and raises BundleError."""


def load_head(bundle: Bundle) -> Head:
    """The head of `bundle`; only bundle.json and the files in head/ need to be there.

    Raises BundleError if it has none, of an unknown kind, one that was changed, or one that does not fit its models.
    """
    if not bundle.description.has_head:
        raise BundleError(
            f"the bundle {bundle.description.name!r} has no head, so it scores nothing",
            path=bundle.path,
            hint="fit one to labelled records: virnucpro train VIRUSES OTHERS --bundle THIS --output NEW",
        )
    files = HeadFiles.read(bundle)
    if files.kind not in KINDS:
        raise BundleError(
            f"a head of the kind {files.kind!r} is not known, only {', '.join(KINDS)}",
            path=bundle.path / CONFIG_FILE,
            hint="use a version of virnucpro-tasks that has it",
        )
    return KINDS[files.kind](files)
