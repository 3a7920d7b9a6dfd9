"""Takes vectors for a new job over from the folder of an earlier tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from virnucpro_tasks.earlier.expected import ExpectedFrames
from virnucpro_tasks.earlier.layout import find_layout
from virnucpro_tasks.earlier.take_over import take_over
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.imported import ImportCheck, ImportedWork
from virnucpro_tasks.jobs.job import Importer, JobParameters
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.reads.inputs import ReadInput


def importing(folder: Path, check: ImportCheck = ImportCheck.PROVED) -> Callable[[JobParameters, Bundle], Importer]:
    """Prepare `submit` to take vectors over from `folder`, and to compare as many as `check` says.

    Raises InputError if it is no folder of an earlier tool.
    """
    layout = find_layout(folder)

    def importer(parameters: JobParameters, bundle: Bundle) -> Importer:
        if layout.chunk_length not in (None, parameters.chunk_length):
            raise InputError(
                f"its last run cut chunks of {layout.chunk_length} bases, this one is to cut {parameters.chunk_length}",
                file=str(folder),
                hint=f"give --expected-length {layout.chunk_length}, or a bundle whose head was trained on that",
            )

        def write(place: Path, inputs: Sequence[ReadInput]) -> ImportedWork:
            expected = ExpectedFrames.of(inputs, chunk_length=parameters.chunk_length, min_length=parameters.min_length)
            named = layout.of_inputs([source.name for source in inputs])
            return take_over(named, expected, bundle, place, check=check)

        return write

    return importer
