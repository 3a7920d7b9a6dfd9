"""The sizes that the parts of a bundle state in their config.json, bounded before a model is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.jsonfile import read_json
from virnucpro_tasks.models.sizes import CLASSES

CONFIG_FILE = "config.json"
LARGEST = {
    "layers": 512,
    "width": 65_536,
    "heads": 4_096,
    "feed_forward": 262_144,
    "vocabulary": 1_048_576,
    "nucleotide_width": 65_536,
    "protein_width": 65_536,
    "hidden": 65_536,
}
"""Several times the largest published model; a number without bounds would be built until memory ends."""

_PARTS = {
    "dnabert-s": ("layers", "width", "heads", "feed_forward", "vocabulary"),
    "esm2": ("layers", "width", "heads"),
    "head": ("nucleotide_width", "protein_width", "hidden"),
}
_AGAIN = "copy or convert the bundle again"


def check_configurations(folder: Path, *, nucleotide_width: int, protein_width: int, has_head: bool = True) -> None:
    """Check each config.json of the bundle in `folder` against LARGEST and the widths of its bundle.json.

    Raises BundleError naming the file.
    """
    stated = {
        part: _sizes(folder / part / CONFIG_FILE, names) for part, names in _PARTS.items() if part != "head" or has_head
    }
    for part, name, expected in (
        ("dnabert-s", "width", nucleotide_width),
        ("esm2", "width", protein_width),
        ("head", "nucleotide_width", nucleotide_width),
        ("head", "protein_width", protein_width),
    ):
        if part in stated and stated[part][name] != expected:
            raise BundleError(
                f"{name} is {stated[part][name]}, bundle.json says {expected}",
                path=folder / part / CONFIG_FILE,
                hint=_AGAIN,
            )


def _sizes(file: Path, names: tuple[str, ...]) -> dict[str, Any]:
    content = read_json(file, hint=_AGAIN)
    known = {*names, "classes"} if "hidden" in names else set(names)
    if not isinstance(content, dict) or set(content) != known:
        raise BundleError(f"it must have exactly the entries {', '.join(sorted(known))}", path=file, hint=_AGAIN)
    if content.pop("classes", list(CLASSES)) != list(CLASSES):
        raise BundleError(f"its classes must be {', '.join(CLASSES)}", path=file, hint=_AGAIN)
    for name, value in content.items():
        if type(value) is not int or not 1 <= value <= LARGEST[name]:
            raise BundleError(f"{name} must be a whole number from 1 to {LARGEST[name]}", path=file, hint=_AGAIN)
    return content
