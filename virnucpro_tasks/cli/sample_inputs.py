"""The inputs of a command: files that it names, or those of a sample sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from virnucpro_tasks.cli.preflight import require_kept
from virnucpro_tasks.cli.results import EMBEDDINGS_FOLDER, result_names
from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.jobs.sample_sheet import read_sample_sheet
from virnucpro_tasks.reads.inputs import ReadInput


def inputs_of(
    files: Sequence[Path], sheet: Path | None, *, output: Path | None, prefix: str = ""
) -> Sequence[Path | ReadInput]:
    """The `files`, or the inputs that the sample sheet lists.

    Raises SettingsError if both are given, InputError for a sheet with a fault, OutputError for a sheet or an input
    that the results in `output` would replace.
    """
    if sheet is None:
        _require_kept(files, output, prefix=prefix)
        return files
    if files:
        raise SettingsError(
            f"--samples and input files ({', '.join(map(str, files[:3]))}) exclude each other",
            hint="list all files in the sheet",
        )
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.output.tables import FILES, file_name

    reserved = {file_name(name, prefix=prefix) for name in FILES}
    sources = read_sample_sheet(sheet, reserved={*reserved, EMBEDDINGS_FOLDER})
    _require_kept([sheet, *(source.path for source in sources)], output, samples=sample_names(sources), prefix=prefix)
    return sources


def sample_names(inputs: Sequence[Path | ReadInput]) -> list[str]:
    """The samples of the inputs, in order; none without a sample sheet."""
    return list(dict.fromkeys(source.sample for source in inputs if isinstance(source, ReadInput)))


def _require_kept(files: Sequence[Path], output: Path | None, *, samples: Sequence[str] = (), prefix: str) -> None:
    if output is not None and output.is_dir():
        require_kept(files, [output / name for name in result_names(samples, prefix=prefix)])
