"""The Dockerfile: what it copies and installs exists, the client has no torch, and nothing runs as root."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field

import pytest
from deploy.commands import DEPLOY, check_command, run_dir

ROOT = DEPLOY.parent
TEXT = (DEPLOY / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]
"""The tag of images in all files."""


@dataclass
class Stage:
    """One stage: its instructions, and what a container of it runs."""

    parent: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def last(self, name: str) -> str:
        """The argument of the last such instruction, the parent stage's if it has none."""
        own = [argument for instruction, argument in self.instructions if instruction == name]
        return own[-1] if own else STAGES[self.parent].last(name)

    @property
    def entrypoint(self) -> list[str]:
        return json.loads(self.last("ENTRYPOINT"))

    @property
    def command(self) -> list[str]:
        return json.loads(self.last("CMD"))

    @property
    def probe(self) -> list[str]:
        return json.loads(self.last("HEALTHCHECK").partition(" CMD ")[2])


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    lines = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    for line in filter(None, lines.splitlines()):
        instruction, argument = line.split(maxsplit=1)
        if instruction == "FROM":
            parent, _, name = argument.partition(" AS ")
            current = found[name] = Stage(parent)
        else:
            current.instructions.append((instruction, argument))
    return found


STAGES = stages()


def test_there_are_two_images() -> None:
    assert list(STAGES) == ["wheel", "client", "worker"]
    assert STAGES["worker"].parent == "client"


def test_everything_copied_is_there_and_not_kept_from_the_builder() -> None:
    copied = [
        source
        for stage in STAGES.values()
        for instruction, argument in stage.instructions
        if instruction == "COPY"
        for source in argument.split()[:-1]
    ]
    allowed = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / source).exists() for source in copied)


def test_the_client_installs_no_torch_and_the_worker_does() -> None:
    client = " ".join(argument for _, argument in [*STAGES["wheel"].instructions, *STAGES["client"].instructions])
    worker = " ".join(argument for _, argument in STAGES["worker"].instructions)
    assert "torch" not in client.lower() and "[worker" not in client
    assert 'pip install --no-cache-dir "$TORCH"' in worker


def test_extras_and_the_torch_pin_are_those_of_the_project() -> None:
    known = PROJECT["optional-dependencies"]
    asked = {extra for group in re.findall(r"\.whl\)\[([a-z,]+)\]", TEXT) for extra in group.split(",")}
    assert asked == {"flower", "metrics", "worker", "embedded", "bam"} and asked <= set(known)
    pin = re.search(r"^TORCH \?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pin and f"ARG TORCH={pin[1]}\n" in TEXT


@pytest.mark.parametrize("name", ["client", "worker"])
def test_an_image_runs_as_an_ordinary_user_and_stops_on_sigterm(name: str) -> None:
    assert int(STAGES[name].last("USER")) > 0
    assert STAGES[name].last("STOPSIGNAL") == "SIGTERM"
    check_command([*STAGES[name].entrypoint, *STAGES[name].command])


def test_the_probe_of_the_worker_reads_where_it_beats() -> None:
    worker = STAGES["worker"]
    check_command(worker.probe)
    assert run_dir(worker.probe) == run_dir([*worker.entrypoint, *worker.command])


def test_the_base_image_is_pinned_and_ours_have_the_version_as_tag() -> None:
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm", STAGES["wheel"].parent)
    assert STAGES["client"].parent == STAGES["wheel"].parent
    tags = {
        tag
        for file in DEPLOY.rglob("*")
        if file.is_file()
        for tag in re.findall(r"virnucpro-(?:client|worker):(\d\S*)", file.read_text())
    }
    assert tags == {VERSION}


def test_a_worker_without_a_gpu_does_not_compute_on_the_cpu() -> None:
    assert STAGES["worker"].command == ["--devices", "gpu"]
