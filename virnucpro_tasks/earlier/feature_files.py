"""Files of vectors of the earlier tools, recognised by what they hold; their names say nothing that can be relied on.

| keys | written by | holds |
| --- | --- | --- |
| `nucleotide`, `data` | all | DNABERT-S: `data` is a list of `label` and `mean_representation` |
| `proteins`, `data` | all | ESM-2: `data` is a list of tensors |
| `ids`, `data` | all | both, joined: DNABERT-S first |
| `embeddings`, `sequence_ids` | version 2.0 | ESM-2: a checkpoint of one worker, or HDF5 |

A mark beside a file (`.done`) proves nothing, and a file without one may be whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.earlier.reasons import UnusableError
from virnucpro_tasks.earlier.torch_zip import read_torch_zip
from virnucpro_tasks.errors import install_hint
from virnucpro_tasks.shards.kinds import NUCLEOTIDE, PROTEIN

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
HDF5_ROWS = 8_192
"""Rows of an HDF5 file in memory at once."""

MOST_COMPRESSION = 1_100
"""How often larger than its file what HDF5 holds can be: by deflate, about a thousand times."""

LEAST_NUMBER_BYTES = 2
"""Bytes of a number in a file of torch, which is not compressed."""

MERGED_KEYS, CHECKPOINT_KEYS = {"ids", "data"}, {"embeddings", "sequence_ids"}
_COMPLETE = "complete"
_MORE_THAN_ITS_SIZE = "it says to hold more than a file of its size can"
_NEWEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Features:
    """Vectors of one kind, `vectors` (n, width) float32, and the ids of their frames.

    `is_checkpoint` tells of a checkpoint of version 2.0, whose ids and rows agree; `is_derived` of vectors that may
    have gone through such a worker: HDF5, joined, or without a version. `is_half` tells that all are numbers of half
    precision.
    """

    kind: str
    ids: list[str]
    vectors: npt.NDArray[np.float32]
    is_checkpoint: bool = False
    is_derived: bool = False

    @property
    def is_half(self) -> bool:
        with np.errstate(over="ignore"):
            return bool((self.vectors.astype(np.float16).astype(np.float32) == self.vectors).all())


def read_features(path: Path, *, widths: dict[str, int]) -> Iterator[Features]:
    """Yield the vectors in `path`, of a large HDF5 file in pieces; `widths` are those of the bundle by kind.

    Raises UnusableError for a file that is damaged, of another form or width, or was never completed.
    """
    with path.open("rb") as file:
        is_hdf5 = file.read(len(HDF5_MAGIC)) == HDF5_MAGIC
    size = path.stat().st_size
    yield from _hdf5(path, widths, size) if is_hdf5 else _torch(read_torch_zip(path), widths, size)


def _torch(content: Any, widths: dict[str, int], size: int) -> Iterator[Features]:
    if not isinstance(content, dict):
        raise UnusableError("it holds no vectors")
    keys = set(content)
    pairs = [
        pair for pair in ({NUCLEOTIDE, "data"}, {"proteins", "data"}, MERGED_KEYS, CHECKPOINT_KEYS) if pair <= keys
    ]
    if len(pairs) != 1:
        raise UnusableError("it holds no vectors with their ids")
    _require_complete(content)
    (pair,) = pairs
    if pair == CHECKPOINT_KEYS:
        ids, vectors = _ids(content["sequence_ids"], size), _matrix(content["embeddings"], size)
        _require_width(vectors, widths[PROTEIN])
        yield _checked(Features(PROTEIN, ids, vectors, is_checkpoint=True))
    elif pair == MERGED_KEYS:
        ids, vectors = _ids(content["ids"], size), _matrix(content["data"], size)
        if len(ids) != len(vectors):
            raise UnusableError(
                f"it has {len(ids):,} ids and {len(vectors):,} vectors: which are whose can no longer be told"
            )
        _require_width(vectors, widths[NUCLEOTIDE] + widths[PROTEIN])
        yield Features(NUCLEOTIDE, ids, vectors[:, : widths[NUCLEOTIDE]])
        yield Features(PROTEIN, ids, vectors[:, widths[NUCLEOTIDE] :], is_derived=True)
    elif NUCLEOTIDE in pair:
        ids, rows = _ids(content[NUCLEOTIDE], size), _list(content["data"])
        if [row.get("label") if isinstance(row, dict) else None for row in rows] != ids:
            raise UnusableError("its ids and the labels of its vectors differ")
        vectors = _matrix([row.get("mean_representation") for row in rows], size)
        _require_width(vectors, widths[NUCLEOTIDE])
        yield _checked(Features(NUCLEOTIDE, ids, vectors))
    else:
        ids, vectors = _ids(content["proteins"], size), _matrix(_list(content["data"]), size)
        _require_width(vectors, widths[PROTEIN])
        yield _checked(Features(PROTEIN, ids, vectors, is_derived="version" not in content))


def _hdf5(path: Path, widths: dict[str, int], size: int) -> Iterator[Features]:
    try:
        # An extra, and it takes a while.
        import h5py
    except ImportError:
        raise UnusableError(f"it is HDF5, which needs h5py: {install_hint('hdf5')}") from None
    try:
        with h5py.File(path, "r") as file:
            vectors, ids = file.get("embeddings"), file.get("sequence_ids")
            if not isinstance(vectors, h5py.Dataset) or not isinstance(ids, h5py.Dataset):
                raise UnusableError("it holds no vectors with their ids")
            if vectors.external or vectors.is_virtual or ids.external or ids.is_virtual:
                raise UnusableError("its vectors are in another file")
            if len(vectors) != len(ids) or vectors.ndim != 2:
                raise UnusableError(f"it has {len(ids):,} ids and {len(vectors):,} vectors")
            if len(vectors):
                _require_width(vectors, widths[PROTEIN])
            if vectors.nbytes > MOST_COMPRESSION * size:
                raise UnusableError(_MORE_THAN_ITS_SIZE)
            for start in range(0, len(vectors), HDF5_ROWS):
                rows = slice(start, start + HDF5_ROWS)
                yield Features(PROTEIN, _ids(list(ids.asstr()[rows])), _matrix(vectors[rows]), is_derived=True)
    except UnusableError:
        raise
    # h5py raises errors of many classes for damaged files.
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UnusableError(f"it is damaged, or was cut off: {str(error)[:80]}") from None


def _require_complete(content: dict[str, Any]) -> None:
    version, status = content.get("version", "0"), content.get("status", _COMPLETE)
    digits = str(version).partition(".")[0]
    if not digits.isdigit() or int(digits) > _NEWEST_VERSION:
        raise UnusableError(f"it is of version {version!r}, newer than what is known")
    if status != _COMPLETE:
        raise UnusableError("its writing was not completed")


def _require_width(vectors: Any, width: int) -> None:
    if vectors.shape[1] != width:
        raise UnusableError(f"its vectors are {vectors.shape[1]:,} wide, those of the bundle {width:,}: another model")


def _checked(features: Features) -> Features:
    if len(features.ids) != len(features.vectors):
        raise UnusableError(f"it has {len(features.ids):,} ids and {len(features.vectors):,} vectors")
    return features


def _ids(found: Any, size: float = math.inf) -> list[str]:
    ids = _list(found)
    if not all(isinstance(name, str) for name in ids):
        raise UnusableError("an id is no text")
    if sum(map(len, ids)) > size:
        raise UnusableError(_MORE_THAN_ITS_SIZE)
    return ids


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list | tuple):
        raise UnusableError("a list is missing")
    return list(found)


def _matrix(rows: Any, size: float = math.inf) -> npt.NDArray[np.float32]:
    """The vectors as a table; those of a file of `size` bytes are no more numbers than it has room for.

    A pickle may name one row a million times, and a list that holds itself twice, thirty levels deep.
    """
    try:
        if isinstance(rows, list) and sum(map(len, rows)) * LEAST_NUMBER_BYTES > size:
            raise UnusableError(_MORE_THAN_ITS_SIZE)
        # What is too large becomes infinite, which is found later.
        with np.errstate(over="ignore"):
            found = np.asarray([_row(row) for row in rows] if isinstance(rows, list) else rows, dtype=np.float32)
    except (TypeError, ValueError):
        raise UnusableError("its vectors are of several widths, or no numbers") from None
    if found.size and found.ndim != 2:
        raise UnusableError("its vectors are no table")
    if not found.size:
        raise UnusableError("it holds no vectors")
    return found


def _row(row: Any) -> Any:
    return row if isinstance(row, np.ndarray) else np.fromiter(row, np.float32, len(row))
