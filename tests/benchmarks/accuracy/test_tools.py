from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.accuracy.tool_scores import ToolScores
from benchmarks.accuracy.tools import LOG, Tool, other_tools, our_tools
from virnucpro_tasks.errors import JobError


def program(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_tools_that_are_not_installed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(other_tools(genomad_database=tmp_path, threads=1)) == [
        "geNomad: genomad is not on PATH",
        "Jaeger: jaeger is not on PATH",
    ]
    program(tmp_path, "genomad")
    program(tmp_path, "jaeger")
    without, jaeger = other_tools(genomad_database=None, threads=1)
    assert without == "geNomad: no --genomad-database" and isinstance(jaeger, Tool)
    genomad, jaeger = other_tools(genomad_database=tmp_path / "db", threads=7)
    assert isinstance(genomad, Tool) and isinstance(jaeger, Tool)
    assert genomad.command(Path("c"), Path("o"))[-3:] == ["c", "o", str(tmp_path / "db")]
    assert jaeger.command(Path("c"), Path("o"))[-2:] == ["--workers", "7"]


def test_a_tool_is_run_in_a_folder_of_its_own(tmp_path: Path) -> None:
    code = "import sys, pathlib; print('hello'); pathlib.Path(sys.argv[2]).write_text(sys.argv[1])"

    def read(folder: Path) -> ToolScores:
        return ToolScores({folder.read_text(): 0.5}, {})

    tool = Tool("test", lambda contigs, folder: [sys.executable, "-c", code, str(contigs), str(folder)], read)
    assert tool.run(tmp_path / "contigs", tmp_path / "deep" / "test").scores == {str(tmp_path / "contigs"): 0.5}
    assert (tmp_path / "deep" / "test" / LOG).read_text() == "hello\n"


def test_a_tool_that_fails_is_an_error_that_names_its_messages(tmp_path: Path) -> None:
    tool = Tool("test", lambda *_: [sys.executable, "-c", "raise SystemExit(3)"], lambda _: ToolScores({}, {}))
    with pytest.raises(JobError, match=r"test ended with 3 \(see .*log\.txt"):
        tool.run(tmp_path, tmp_path / "test")


def test_our_bundles_have_arguments_of_their_own() -> None:
    one, other = our_tools({"a": "--bundle demo", "b": "--bundle x --precision fp32"})
    assert (one.name, other.name) == ("a", "b")
    assert one.command(Path("c"), Path("o"))[-2:] == ["--bundle", "demo"]
    assert other.command(Path("c"), Path("o"))[-2:] == ["--precision", "fp32"]
