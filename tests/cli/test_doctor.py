from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from virnucpro_tasks.cli import doctor
from virnucpro_tasks.cli.doctor import CHECKS, ONE_SHOT_ONLY
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.errors import BrokerError, ExitCode


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
