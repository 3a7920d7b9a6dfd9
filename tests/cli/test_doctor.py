from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from click.testing import CliRunner

from virnucpro_tasks.cli import doctor
from virnucpro_tasks.cli.doctor import leftovers_outcome
from virnucpro_tasks.cli.leftovers import Leftover
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.diagnosis.finding import Outcome, Status
from virnucpro_tasks.diagnosis.run import CHECKS, Check
from virnucpro_tasks.errors import BrokerError, ExitCode, InputError, StoreError
from virnucpro_tasks.settings import Settings


@pytest.mark.parametrize("missing", CHECKS)
def test_a_missing_part_ends_with_its_code_unless_no_job_needs_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> Outcome:
        raise BrokerError("not there", hint="look for it")

    checks = {
        name: replace(check, run=fail if name == missing else lambda _: Outcome("there"))
        for name, check in CHECKS.items()
    }
    monkeypatch.setattr(doctor, "CHECKS", checks)
    monkeypatch.setattr(doctor, "find_leftovers", lambda _: [])
    result = CliRunner().invoke(cli, ["doctor", "--json"], standalone_mode=False)
    assert result.return_value == (ExitCode.UNREACHABLE if CHECKS[missing].needed else ExitCode.OK)
    findings = json.loads(result.stdout)
    assert {tuple(finding) for finding in findings} == {
        ("check", "status", "ok", "needed", "detail", "advice", "values")
    }
    (found,) = [finding for finding in findings if not finding["ok"]]
    assert (found["check"], found["status"], found["detail"]) == (missing, "failed", "not there")
    assert found["advice"] == "look for it"


def test_a_person_is_told_what_to_do_and_whether_a_job_would_run(
    virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = Outcome("1 GB free", Status.WARNING, "make room")
    monkeypatch.setattr(doctor, "CHECKS", {"store": Check(lambda _: little), "redis": Check(lambda _: Outcome("up"))})
    monkeypatch.setattr(doctor, "find_leftovers", lambda _: [])
    ended = virnucpro("doctor")
    assert ended.code == ExitCode.OK
    assert ended.out[:2] == ["WARNING  store: 1 GB free (make room)", "ok       redis: up"]
    assert ended.err == ["a deployed job would run"]


def test_without_redis_everything_else_is_told(virnucpro: Virnucpro, settings: Settings) -> None:
    ended = virnucpro("doctor", "--json")
    assert ended.code == ExitCode.UNREACHABLE
    findings = {finding["check"]: finding for finding in json.loads("\n".join(ended.out))}
    assert list(findings) == [*CHECKS, "leftovers"]
    assert "cannot be reached" in findings["redis"]["detail"] and findings["redis"]["advice"]
    assert findings["memory of Redis"]["status"] == "warning"
    assert findings["store"]["detail"].startswith("there is no store")
    assert findings["bundle"]["ok"] and findings["host"]["values"]["cores"] > 0
    assert not settings.store.exists()


def test_many_leftovers_are_counted() -> None:
    left = [Leftover(Path(f"/tmp/{number}"), "folder") for number in range(5)]
    outcome = leftovers_outcome(left)
    assert outcome.detail == "/tmp/0 (folder); /tmp/1 (folder); /tmp/2 (folder); and 2 more"
    assert outcome.status is Status.WARNING and len(outcome.values["paths"]) == 5
    assert leftovers_outcome([]).status is Status.OK


def test_cleaning_needs_the_store_that_is_given(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(StoreError, match=r"there is no store .*absent"):
        CliRunner().invoke(
            cli, ["doctor", "--clean", "--store", str(absent)], standalone_mode=False, catch_exceptions=False
        )
    assert not absent.exists()


def test_cleaning_needs_no_store_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRNUCPRO_STORE", raising=False)
    monkeypatch.setattr(doctor, "find_leftovers", lambda _: [])
    monkeypatch.setattr(doctor, "remove_leftovers", lambda *_: [])
    result = CliRunner().invoke(cli, ["doctor", "--clean"], standalone_mode=False)
    assert (result.return_value, result.stdout) == (ExitCode.OK, "no leftovers of killed runs\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flags", [[], ["--clean"]])
def test_a_folder_that_is_not_there_is_bad_input(flags: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent: no such folder") as refused:
        CliRunner().invoke(
            cli, ["doctor", *flags, str(tmp_path / "absent")], standalone_mode=False, catch_exceptions=False
        )
    assert refused.value.exit_code == ExitCode.BAD_INPUT


def test_whose_command_and_package_the_short_name_is(
    virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> dict[str, object]:
        findings = json.loads("\n".join(virnucpro("doctor", "--json").out))
        (one,) = [finding for finding in findings if finding["check"] == "names"]
        return one

    for place in ("own", "other"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "virnucpro").write_text("#!/bin/sh\n")
        (tmp_path / place / "virnucpro").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "own" / "python"))
    monkeypatch.setattr("sys.path", [path for path in sys.path if not path.endswith("compat")])
    monkeypatch.setenv("PATH", str(tmp_path / "own"))
    assert found()["ok"]
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    assert not found()["ok"] and str(tmp_path / "other") in str(found()["detail"])
    # A package of others, which is only looked for
    monkeypatch.setenv("PATH", str(tmp_path / "own"))
    (tmp_path / "virnucpro").mkdir()
    (tmp_path / "virnucpro" / "__init__.py").write_text("raise SystemExit(9)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert found()["ok"] and str(tmp_path / "virnucpro") in str(found()["detail"])
