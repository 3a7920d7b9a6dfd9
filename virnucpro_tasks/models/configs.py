"""Checks of each part's config.json before a model of these sizes is made."""

from __future__ import annotations

from pathlib import Path

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.jsonfile import read_struct
from virnucpro_tasks.models.sizes import (
    PUBLISHED_KIND,
    SHORT_KIND,
    DnabertSizes,
    Esm2Sizes,
    HeadConfiguration,
    MlpConfiguration,
    ShortConfiguration,
)

CONFIG_FILE = "config.json"
_KINDS: dict[str, type[HeadConfiguration]] = {PUBLISHED_KIND: MlpConfiguration, SHORT_KIND: ShortConfiguration}
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
        if stated.kind in _KINDS:
            read_struct(head, _KINDS[stated.kind], hint=_AGAIN)
        _expect(head, "nucleotide_width", stated.nucleotide_width, nucleotide_width)
        _expect(head, "protein_width", stated.protein_width, protein_width)


def head_configuration(head: Path) -> HeadConfiguration | None:
    """The entries that heads of every kind have, of a head's folder; None without the file. Raises BundleError."""
    file = head / CONFIG_FILE
    return read_struct(file, HeadConfiguration, hint=_AGAIN) if file.is_file() else None


def _expect(file: Path, name: str, stated: int, expected: int) -> None:
    if stated != expected:
        raise BundleError(f"{name} is {stated}, bundle.json says {expected}", path=file, hint=_AGAIN)
