"""Checks of each part's config.json before a model of these sizes is made."""

from __future__ import annotations

from pathlib import Path

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.jsonfile import read_struct
from virnucpro_tasks.models.sizes import (
    PUBLISHED_KIND,
    DnabertSizes,
    Esm2Sizes,
    FittedRecordScore,
    HeadConfiguration,
    MlpConfiguration,
)

CONFIG_FILE = "config.json"
_AGAIN = "copy or convert the bundle again"


def check_configurations(folder: Path, *, nucleotide_width: int, protein_width: int, has_head: bool = True) -> None:
    """Check each config.json of the bundle in `folder`: its entries and bounds, and the widths against bundle.json.

    Raises BundleError naming the file.
    """
    dnabert_s, esm2, head = (folder / part / CONFIG_FILE for part in ("dnabert-s", "esm2", "head"))
    _expect(dnabert_s, "width", read_struct(dnabert_s, DnabertSizes, hint=_AGAIN).width, nucleotide_width)
    _expect(esm2, "width", read_struct(esm2, Esm2Sizes, hint=_AGAIN).width, protein_width)
    if has_head:
        stated = read_struct(head, HeadConfiguration, hint=_AGAIN)
        # The entries of other kinds are checked where their heads are loaded.
        if stated.kind == PUBLISHED_KIND:
            read_struct(head, MlpConfiguration, hint=_AGAIN)
        _expect(head, "nucleotide_width", stated.nucleotide_width, nucleotide_width)
        _expect(head, "protein_width", stated.protein_width, protein_width)


def fitted_record_score(head: Path) -> FittedRecordScore | None:
    """The values for the score of a record that a head's folder holds, if it has any. Raises BundleError."""
    file = head / CONFIG_FILE
    return read_struct(file, HeadConfiguration, hint=_AGAIN).record_score if file.is_file() else None


def _expect(file: Path, name: str, stated: int, expected: int) -> None:
    if stated != expected:
        raise BundleError(f"{name} is {stated}, bundle.json says {expected}", path=file, hint=_AGAIN)
