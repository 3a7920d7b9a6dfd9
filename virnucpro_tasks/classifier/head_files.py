"""The files of a head, read and checked against their digests, before any kind of head is made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

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
        config, path = bundle.path / CONFIG_FILE, bundle.path / TENSORS_FILE
        try:
            configuration = json.loads(read_part(bundle, CONFIG_FILE))
        except (ValueError, RecursionError) as error:
            raise BundleError(f"it is not JSON ({error})", path=config, hint=_AGAIN) from None
        kind = checked(configuration, HeadConfiguration, path=config, hint=_AGAIN).kind
        try:
            tensors = load(read_part(bundle, TENSORS_FILE))
        except SafetensorError as error:
            raise BundleError(f"damaged safetensors ({error})", path=path, hint="convert the bundle again") from None
        doubles = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        return cls(bundle.description, kind, configuration, doubles, path)
