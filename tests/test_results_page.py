"""The commands of docs/results.md on results work, those of other programs as well as ours."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from cli.commands import run
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.settings import Settings

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "results.md").read_text()
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of a job in out/."""
    folder = tmp_path_factory.mktemp("page")
    settings = Settings(store=folder / "store", bundle="demo")
    job = make_job(settings, ReadInput(SAMPLE, str(SAMPLE)))  # type: ignore[arg-type]
    run_job(job, settings)
    job.paths.results.rename(folder / "out")
    return folder


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("virnucpro predict")])
def test_a_command_of_the_page_works(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    if command.startswith("virnucpro "):
        assert run(monkeypatch, *command.split()[1:]) == 0
        return
    record_id = (folder / "out" / "virus_regions.bed").read_text().splitlines()[1].split("\t")[0]
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("ctg0008", record_id)], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "") and ended.stdout


def test_there_is_a_command_for_each_question() -> None:
    assert len(COMMANDS) == 7 and PAGE.count("\n## ") == 5
