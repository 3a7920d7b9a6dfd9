"""The places where earlier versions of VirNucPro put their two tables, which scripts look for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from virnucpro_tasks.errors import OutputError, SettingsError
from virnucpro_tasks.jobs.staging import STANDARD_INPUT
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import copy_file, is_same_file, make_folder, persistently, sync
from virnucpro_tasks.system.files import atomic_path

BROAD = "broad"
LAYOUTS = (BROAD, "original")
CLASSIC_FILES = ("prediction_results.txt", "prediction_results_highestscore.csv")
COMPRESSIONS = (".gz", ".bgz", ".bz2", ".xz", ".zst")
OUTPUT_ENDING, MERGED_ENDING = "_predictions", "_merged"


def one_input(inputs: Sequence[Path], purpose: str, *, advice: str) -> Path:
    """The only input, after which `purpose` is named. Raises SettingsError, with `advice`, if it is not one file with a
    name.
    """
    if len(inputs) != 1 or inputs[0] == STANDARD_INPUT:
        what = "standard input has no name" if inputs and len(inputs) == 1 else f"there are {len(inputs)} inputs"
        raise SettingsError(f"{purpose} is named after the one input file, and {what}", hint=advice)
    return inputs[0]


def stem(file: Path) -> str:
    """The name of a file without its ending, and before that without the one of its compression."""
    name = Path(file.name)
    if name.suffix.lower() in COMPRESSIONS and Path(name.stem).suffix:
        name = Path(name.stem)
    return name.stem


def default_output(inputs: Sequence[Path]) -> Path:
    """The output folder of a command without --output, as the earlier package has it: in the current folder."""
    return Path(stem(one_input(inputs, "the output folder", advice="give --output FOLDER")) + OUTPUT_ENDING)


def merged_folder(layout: str, inputs: Sequence[Path], output: Path) -> Path:
    """The folder of the two tables in an earlier `layout`.

    The original cuts the whole path of the input at its first '.fa', which here is looked for in its name alone.
    """
    advice = "leave --layout away, or classify each file in a run of its own"
    file = one_input(inputs, f"the folder of --layout {layout}", advice=advice)
    if layout == BROAD:
        return output / f"{stem(file)}{MERGED_ENDING}"
    return file.parent / f"{file.name.partition('.fa')[0] or file.name}{MERGED_ENDING}"


def require_free_layout(folder: Path, *, force: bool, results: Path | None = None) -> None:
    """Raise OutputError if one of the two tables is in `folder` already, unless it is to be replaced, or has the bytes
    of that in `results`.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutputError(f"{folder} is not a folder", hint="move it away, or leave --layout away")
    for name in CLASSIC_FILES:
        place = folder / name
        if not os.path.lexists(place) or (results is not None and _is_copy(place, results / name)):
            continue
        if not force or (place.is_dir() and not place.is_symlink()):
            raise OutputError(f"{place} exists already", hint="move it away, or use --force to replace it")


def _is_copy(place: Path, source: Path) -> bool:
    return place.is_file() and not place.is_symlink() and is_same_file(source, place)


def put_classic_files(results: Path, folder: Path, *, force: bool) -> None:
    """Copy the two tables from `results` into `folder`, each complete or not at all. Raises OutputError."""
    require_free_layout(folder, force=force, results=results)
    try:
        make_folder(folder)
        with ExitStack() as stack:
            for name in CLASSIC_FILES:
                replace = force or os.path.lexists(folder / name)
                temporary = stack.enter_context(atomic_path(folder / name, replace=replace))
                persistently(partial(copy_file, results / name, temporary))
                sync(temporary)
    except OSError as error:
        cause = cause_of(error, folder)
        raise OutputError(f"{folder} cannot be written: {cause.words}", hint=cause.advice) from error
