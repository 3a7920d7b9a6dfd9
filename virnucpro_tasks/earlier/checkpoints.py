"""Whether files of vectors of the earlier tools are whole, as `virnucpro utils validate-checkpoints` tells."""

from __future__ import annotations

import zipfile
from pathlib import Path

from virnucpro_tasks.earlier.reasons import UnusableError
from virnucpro_tasks.earlier.torch_zip import read_torch_zip
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.archive import check_archive

VALUES = (("data",), ("embeddings", "sequence_ids"))
"""The keys of which such a file has one group: the second is that of the checkpoints of version 2.0."""


def checkpoint_problem(file: Path, *, loads: bool) -> str:
    """Why the file is not whole, empty if it is: it is a zip file of torch and, if it `loads`, holds vectors.

    Nothing that is in it is run.
    """
    try:
        if not file.is_file():
            return "it is no file"
        if not file.stat().st_size:
            return "it is empty"
        if not zipfile.is_zipfile(file):
            return "it is no complete zip file of torch: cut off, or of another kind"
        check_archive(file)
        content = read_torch_zip(file) if loads else None
    except (BundleError, UnusableError) as error:
        return error.what if isinstance(error, BundleError) else str(error)
    except OSError as error:
        return error.strerror or "it cannot be read"
    if loads and not (isinstance(content, dict) and any(set(keys) <= content.keys() for keys in VALUES)):
        return "it holds no vectors: it has no key 'data'"
    return ""
