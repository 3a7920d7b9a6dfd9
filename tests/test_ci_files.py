"""Workflows, pre-commit and dependency groups agree with pyproject.toml and the Makefile."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import virnucpro_tasks

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([\w$()/.-]+):", MAKEFILE.replace("$(VENV)", ".venv"), re.MULTILINE))
WORKFLOWS = {file.name: yaml.safe_load(file.read_text()) for file in (ROOT / ".github" / "workflows").glob("*.yml")}


def steps() -> Iterator[dict[str, Any]]:
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            yield from job["steps"]


def requirement(name: str) -> str:
    return next(line for line in PROJECT["project"]["dependencies"] if re.match(rf"{name}\b", line))


def supported_pythons() -> list[str]:
    first, end = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["project"]["requires-python"]).groups()  # type: ignore[union-attr]
    return [f"3.{minor}" for minor in range(int(first), int(end))]


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    newest = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert {PROJECT["project"]["version"], virnucpro_tasks.__version__, citation, newest[1]} == {citation}


def test_every_supported_python_is_tested_and_named() -> None:
    matrix = WORKFLOWS["tests.yml"]["jobs"]["tests"]["strategy"]["matrix"]
    classifiers = [line.split(" :: ")[-1] for line in PROJECT["project"]["classifiers"] if "Python :: 3." in line]
    assert matrix["python"] == classifiers == supported_pythons()
    assert f"Python {classifiers[0]} to {classifiers[-1]}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["celery", "kombu"])
def test_the_oldest_and_the_newest_release_allowed_are_tested(name: str) -> None:
    bounds = re.search(r">=([\d.]+),<([\d.]+)$", requirement(name))
    assert bounds is not None
    oldest, newest = WORKFLOWS["tests.yml"]["jobs"]["tests"]["strategy"]["matrix"]["celery"]
    assert re.search(rf"\b{name}(\[redis\])?=={re.escape(bounds[1])}(\.0)?( |$)", oldest)
    assert re.search(rf"\b{name}(\[redis\])?<{re.escape(bounds[2])}( |$)", newest)


def test_make_targets_that_workflows_run_exist() -> None:
    targets = {target for step in steps() for target in re.findall(r"\bmake (\S+)", step.get("run", ""))}
    assert {"lint", "test", "docs", ".venv/dev"} <= targets <= TARGETS


def test_programs_that_workflows_run_are_in_the_environment() -> None:
    programs = {program for step in steps() for program in re.findall(r"\.venv/bin/(\S+)", step.get("run", ""))}
    assert programs == {"pip"}


def test_every_job_has_a_time_limit_and_may_only_read() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {"contents": "read"}, name
        assert all(0 < job["timeout-minutes"] <= 60 for job in workflow["jobs"].values()), name


def test_the_commit_hooks_run_the_linters_of_make_lint() -> None:
    hooks = {
        hook["entry"].removeprefix(".venv/bin/")
        for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        if repository["repo"] == "local"
        for hook in repository["hooks"]
    }
    linters = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert linters is not None
    for command in re.findall(r"\$\(BIN\)/(\w+(?: \w+)?)", linters[1]):
        assert any(hook.startswith(command) for hook in hooks), command


def test_the_group_for_development_is_the_extra_of_that_name() -> None:
    groups, extras = PROJECT["dependency-groups"], PROJECT["project"]["optional-dependencies"]
    extra = {line for line in extras["dev"] if not line.startswith("virnucpro")}
    # What users read results with is an extra of its own.
    extra |= {*extras["hdf5"], *extras["pandas"], *extras["biopython"]}
    assert extra == {*groups["test"], *groups["lint"]} - {"pre-commit>=4"}
    assert groups["dev"] == [{"include-group": name} for name in ("lint", "test", "docs")]


def test_forms_for_issues_ask_for_something() -> None:
    for file in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(file.read_text())
        if file.name != "config.yml":
            assert form["name"] and form["description"]
            assert any(field.get("validations", {}).get("required") for field in form["body"]), file.name


def test_dependencies_of_every_kind_are_updated() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "github-actions", "docker", "docker-compose"}
    assert all((ROOT / update["directory"].strip("/")).is_dir() for update in updates)


def test_versions_of_constraints_leave_torch_to_the_makefile() -> None:
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert len(pinned) > 50
    others = [name for name in pinned if re.match(r"(torch|triton|cuda-|nvidia-|virnucpro)", name, re.IGNORECASE)]
    assert [name for name in others if name != "nvidia-ml-py"] == []
