"""Each command with each failure that it can meet before any work: the documented code, one line, nothing made."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from cli.commands import run
from cli.conftest import UNREACHABLE
from job import SAMPLE

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.system import extras

JOB = "20260101t000000z-aaaaaaaaaaaaaaaa"
ON_A_JOB = ("status", "watch", "results", "cancel", "resume", "remove")
OF_INPUTS = {
    "predict": ("{}", "-o", "out"),
    "submit": ("{}",),
    "evaluate": ("{}", str(SAMPLE), "-o", "out"),
    "train": ("{}", str(SAMPLE), "-o", "out"),
    "chaos": ("{}",),
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, without a store, a bundle or a Redis."""
    for name in ("BUNDLE", "STORE", "CONFIG"):
        monkeypatch.delenv(f"VIRNUCPRO_{name}", raising=False)
    monkeypatch.setenv("VIRNUCPRO_BROKER_URL", UNREACHABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends_with(
    code: ExitCode,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    *arguments: str,
) -> None:
    """Assert how a command ends, and that it has made nothing in the current folder."""
    before = sorted(Path().rglob("*"))
    assert run(monkeypatch, *arguments) == code
    shown = capsys.readouterr()
    (line,) = [line for line in shown.err.splitlines() if line and not line.startswith("demonstration")]
    assert line.startswith("virnucpro: error: ") and part in line
    assert shown.out == ""
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("store", ["absent", "file/store", "file"])
@pytest.mark.parametrize("command", ["list", *(f"{name} {JOB}" for name in ON_A_JOB), "status @last", "results 2026"])
def test_a_store_that_is_not_there_is_an_error_and_is_not_made(
    command: str, store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    Path("file").touch()
    part = "is not a folder" if store == "file" else "there is no store"
    ends_with(ExitCode.JOB_FAILED, part, monkeypatch, capsys, *command.split(), "--store", store)


@pytest.mark.parametrize("command", ON_A_JOB)
@pytest.mark.parametrize(
    ("job", "code", "part"),
    [
        (JOB, ExitCode.JOB_FAILED, "not in the store"),
        ("2026", ExitCode.JOB_FAILED, "no id in the store"),
        ("mine", ExitCode.JOB_FAILED, "not a job id"),
        ("@last", ExitCode.JOB_FAILED, "has no job in the store"),
        ("@first", ExitCode.USAGE, "is no job"),
        ("", ExitCode.JOB_FAILED, "not a job id"),
    ],
)
def test_a_job_that_is_not_there(
    command: str,
    job: str,
    code: ExitCode,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    Path("store").mkdir()
    ends_with(code, part, monkeypatch, capsys, command, job, "--store", "store")


def test_doctor_makes_no_store_by_looking(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run(monkeypatch, "doctor", "--store", "absent", "--bundle", "demo", "--json") == ExitCode.UNREACHABLE
    found = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    for check in ("store", "file system of the store"):
        assert not found[check]["ok"] and "there is no store absent" in found[check]["detail"]
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("command", [*(name for name in OF_INPUTS if name != "chaos"), "worker"])
def test_no_bundle_is_wrong_use(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    arguments = [part.format(SAMPLE) for part in OF_INPUTS.get(command, ())]
    ends_with(ExitCode.USAGE, "no model bundle is set", monkeypatch, capsys, command, *arguments)


@pytest.mark.parametrize("command", [*OF_INPUTS, "worker"])
def test_a_bundle_that_is_not_there_is_bad_input(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    arguments = [part.format(SAMPLE) for part in OF_INPUTS.get(command, ())]
    ends_with(ExitCode.BAD_INPUT, "no bundle.json", monkeypatch, capsys, command, *arguments, "--bundle", "absent")


@pytest.mark.parametrize("command", OF_INPUTS)
@pytest.mark.parametrize("kind", ["missing", "folder", "text"])
def test_an_input_that_cannot_be_read_is_bad_input(
    command: str, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    Path("folder").mkdir()
    Path("text").write_text("no sequence\n")
    arguments = [part.format(kind) for part in OF_INPUTS[command]]
    ends_with(ExitCode.BAD_INPUT, f"{kind}", monkeypatch, capsys, command, *arguments, "--bundle", "demo")


@pytest.mark.parametrize(
    "arguments",
    [
        ["models", "demo", "out", "--rebuild", "absent"],
        ["models", "convert", "out", "--dnabert", "absent", "--esm2", "demo"],
        ["models", "convert", "out", "--dnabert", "demo", "--esm2", "absent"],
        ["models", "convert", "out", "--dnabert", "demo", "--esm2", "demo", "--head", "absent"],
        ["models", "verify", "absent"],
        ["models", "list", "absent"],
        ["train", str(SAMPLE), "--labels", "absent", "-o", "out", "--bundle", "demo"],
        ["evaluate", str(SAMPLE), "--labels", "absent", "-o", "out", "--bundle", "demo"],
    ],
)
def test_a_file_that_is_missing_is_bad_input(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    ends_with(ExitCode.BAD_INPUT, "absent", monkeypatch, capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        *([name, *(part.format(SAMPLE) for part in parts), "--bundle", "demo"] for name, parts in OF_INPUTS.items()),
        ["worker", "--bundle", "demo"],
        ["bench"],
    ],
)
def test_without_torch_what_computes_is_wrong_use(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in ("torch", "sklearn") else found(name))
    if arguments[0] == "submit":  # a client needs none
        ends_with(ExitCode.UNREACHABLE, "Redis", monkeypatch, capsys, *arguments)
    else:
        ends_with(ExitCode.USAGE, "pip install", monkeypatch, capsys, *arguments)


@pytest.mark.parametrize("module", ["convert", "demo"])
def test_without_torch_bundles_cannot_be_made(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, f"virnucpro_tasks.models.{module}", None)
    options = ["--dnabert", "demo", "--esm2", "demo"] if module == "convert" else ["--rebuild", str(SAMPLE)]
    ends_with(ExitCode.USAGE, "pip install", monkeypatch, capsys, "models", module, "out", *options)
