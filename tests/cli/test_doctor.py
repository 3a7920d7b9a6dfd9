from __future__ import annotations

import json
from pathlib import Path

import pytest
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
