from __future__ import annotations

import json

import pytest
from virnucpro_workers.say import Say


def test_lines_name_the_worker_unless_they_are_the_supervisors(capsys: pytest.CaptureFixture[str]) -> None:
    Say("text")("embed-gpu0 started, pid 3")
    Say("text", process="embed-gpu0")("no CUDA device", level="ERROR")
    assert capsys.readouterr().err == (
        "virnucpro worker: embed-gpu0 started, pid 3\nvirnucpro worker embed-gpu0: no CUDA device\n"
    )


def test_the_environment_asks_for_json_before_there_are_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRNUCPRO_LOG_FORMAT", "json")
    Say(process="embed-gpu0")("two\nlines", level="ERROR")
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["level"], line["process"]) == ("two\nlines", "ERROR", "embed-gpu0")
