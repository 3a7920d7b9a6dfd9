"""Files that are derived from the tables of a finished job and from the content of its run.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from virnucpro_tasks.output.tables import (
    CRATE_FILE,
    MULTIQC_GRAPH,
    MULTIQC_STATISTICS,
    REPORT_FILE,
    TIMED_FILES,
    file_name,
)
from virnucpro_tasks.report.collected import CollectedRecords
from virnucpro_tasks.report.content import read_content
from virnucpro_tasks.report.crate import crate
from virnucpro_tasks.report.multiqc import general_statistics, records_graph
from virnucpro_tasks.report.page import report_page
from virnucpro_tasks.system.file_operations import persistently, sync
from virnucpro_tasks.system.files import file_sha256


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """One of the files of `output.tables.FILES`.

    `content` makes its bytes from the folder of results and the report, which has the digests of all files before it.
    `is_wanted` says for a report whether the job has the file.
    """

    name: str
    content: Callable[[Path, dict[str, Any]], bytes]
    is_wanted: Callable[[dict[str, Any]], bool] = lambda report: True


def _report_page(folder: Path, report: dict[str, Any], collected: CollectedRecords | None = None) -> bytes:
    return report_page(read_content(folder, report, is_new=True, collected=collected)).encode()


DERIVED_FILES: tuple[DerivedFile, ...] = (
    DerivedFile(MULTIQC_STATISTICS, general_statistics),
    DerivedFile(MULTIQC_GRAPH, records_graph),
    DerivedFile(REPORT_FILE, _report_page, lambda report: report["parameters"]["outputs"]["report"]),
    # It lists all others.
    DerivedFile(CRATE_FILE, crate),
)
"""In the order in which they are written."""


def derived_files(collected: CollectedRecords) -> list[DerivedFile]:
    """All of them, of which the page is made from what was `collected` while the tables were written."""
    content = partial(_report_page, collected=collected)
    return [replace(file, content=content) if file.name == REPORT_FILE else file for file in DERIVED_FILES]


def write_derived(folder: Path, report: dict[str, Any], files: Sequence[DerivedFile] = DERIVED_FILES) -> None:
    """Write the derived `files` of a job into `folder`, to the disk, and note their digests in the `report`.

    The digests of TIMED_FILES go to `times`, so that reports of equal work differ in nothing else. Raises OSError.
    """
    prefix = report["parameters"]["outputs"]["prefix"]
    for file in files:
        if file.is_wanted(report):
            name = file_name(file.name, prefix=prefix)
            # Anew from the start if the file system loses a table that is being read.
            content = persistently(partial(file.content, folder, report))
            persistently(partial((folder / name).write_bytes, content))
            sync(folder / name)
            digests = report["times"].setdefault("sha256", {}) if file.name in TIMED_FILES else report["sha256"]
            digests[name] = file_sha256(folder / name)
