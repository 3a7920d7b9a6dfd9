"""The files of a head, read and checked against their digests, before any kind of head is made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import HEAD_FILES, Bundle, BundleDescription
from virnucpro_tasks.models.jsonfile import checked
from virnucpro_tasks.models.sizes import HeadConfiguration
from virnucpro_tasks.models.verification import read_part

CONFIG_FILE, TENSORS_FILE = HEAD_FILES
_AGAIN = "copy or convert the bundle again"


@dataclass(frozen=True, slots=True, eq=False)
class HeadFiles:
    """The content of the files of a head.

    `configuration` holds all entries of head/config.json, `kind` that of the head; `tensors` are float64, those of
    head/model.safetensors by name; `path` is that file, for messages.
    """

    description: BundleDescription
    kind: str
    configuration: dict[str, Any]
    tensors: dict[str, np.ndarray]
    path: Path

    @classmethod
    def read(cls, bundle: Bundle) -> HeadFiles:
        """Read both files; no other file of `bundle` needs to be there. Raises BundleError naming the one at fault."""
        path = bundle.path / TENSORS_FILE
        configuration, checked_entries = _configuration(bundle)
        try:
            tensors = load(read_part(bundle, TENSORS_FILE))
        except SafetensorError as error:
            raise BundleError(f"damaged safetensors ({error})", path=path, hint="convert the bundle again") from None
        doubles = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        return cls(bundle.description, checked_entries.kind, configuration, doubles, path)


def read_record_score(bundle: Bundle, *, with_segments: bool = True) -> RecordScore:
    """The rule by which the head of `bundle` scores records; only bundle.json and head/config.json need to be there.

    `with_segments` false gives the rule of a job that is scored by open frames alone. Raises BundleError for a file
    that was changed or has other values.
    """
    if not bundle.description.has_head:
        return RecordScore()
    stated = _configuration(bundle)[1]
    rule = RecordScore(stated.record_score, nucleotides_below=stated.nucleotides_below)
    return rule if with_segments else rule.by_frames()


def _configuration(bundle: Bundle) -> tuple[dict[str, Any], HeadConfiguration]:
    """All entries of head/config.json, and those that heads of every kind have."""
    path = bundle.path / CONFIG_FILE
    try:
        entries = json.loads(read_part(bundle, CONFIG_FILE))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"it is not JSON ({error})", path=path, hint=_AGAIN) from None
    return entries, checked(entries, HeadConfiguration, path=path, hint=_AGAIN)
