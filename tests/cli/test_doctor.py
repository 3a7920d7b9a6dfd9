from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from click.testing import CliRunner

from virnucpro_tasks.cli import doctor
from virnucpro_tasks.cli.doctor import CHECKS, ONE_SHOT_ONLY
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.errors import BrokerError, ExitCode, InputError, StoreError


def fail(_: object) -> str:
    raise BrokerError("not there")


@pytest.mark.parametrize("missing", CHECKS)
def test_a_missing_part_ends_with_its_code_unless_only_predict_needs_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = {name: fail if name == missing else (lambda _: "there") for name in CHECKS}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    result = CliRunner().invoke(cli, ["doctor", "--json"], standalone_mode=False)
    assert result.return_value == (ExitCode.OK if missing in ONE_SHOT_ONLY else ExitCode.UNREACHABLE)
    findings = json.loads(result.stdout)
    assert [finding["check"] for finding in findings if not finding["ok"]] == [missing]


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
