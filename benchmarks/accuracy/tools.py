"""The tools that can be run here, each by its own command line, and the reasons why others are left out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy import genomad, jaeger, ours
from benchmarks.accuracy.tool_scores import ToolScores
from virnucpro_tasks.errors import JobError

READERS: Mapping[str, Callable[[Path], ToolScores]] = {
    "virnucpro": ours.read,
    "genomad": genomad.read,
    "jaeger": jaeger.read,
}
"""What reads the results of each program."""

LOG = "log.txt"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program to run: the `name` in tables, the command line for contigs and an empty folder, and its reader."""

    name: str
    command: Callable[[Path, Path], list[str]]
    read: Callable[[Path], ToolScores]

    def run(self, contigs: Path, folder: Path) -> ToolScores:
        """Classify `contigs`; results go to `folder`/results, messages to `folder`/log.txt.

        Raises JobError if the program fails.
        """
        folder.mkdir(parents=True)
        with (folder / LOG).open("wb") as log:
            ended = subprocess.run(
                self.command(contigs.absolute(), (folder / "results").absolute()),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        if ended.returncode:
            raise JobError(f"{self.name} ended with {ended.returncode}", job_id="", hint=f"see {folder / LOG}")
        return self.read(folder / "results")


def our_tools(bundles: Mapping[str, str]) -> list[Tool]:
    """This package by the name of each set of arguments of `virnucpro predict`."""

    def tool(name: str, arguments: str) -> Tool:
        return Tool(name, lambda contigs, folder: ours.command(contigs, folder, arguments=arguments), ours.read)

    return [tool(name, arguments) for name, arguments in bundles.items()]


def other_tools(*, genomad_database: Path | None, threads: int) -> Iterator[Tool | str]:
    """Yield each other tool that is on PATH, or the reason why it is left out."""
    if shutil.which(genomad.PROGRAM) is None:
        yield f"geNomad: {genomad.PROGRAM} is not on PATH"
    elif genomad_database is None:
        yield "geNomad: no --genomad-database"
    else:
        database = genomad_database

        def of_genomad(contigs: Path, folder: Path) -> list[str]:
            return genomad.command(contigs, folder, database=database, threads=threads)

        yield Tool("geNomad", of_genomad, genomad.read)
    if shutil.which(jaeger.PROGRAM) is None:
        yield f"Jaeger: {jaeger.PROGRAM} is not on PATH"
    else:
        yield Tool("Jaeger", lambda contigs, folder: jaeger.command(contigs, folder, threads=threads), jaeger.read)
