"""Every command that uses a bundle refuses one that was damaged, and starts nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from job import OTHERS, SAMPLE
from virnucpro_workers import __main__ as supervisor

from virnucpro_tasks.cli import submit
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.models.locate import demo_bundle


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demonstration with a hole in the weights of ESM-2."""
    bundle = Path(shutil.copytree(demo_bundle().path, tmp_path / "bundle"))
    with (bundle / "esm2" / "model.safetensors").open("r+b") as file:
        file.seek(1_500_000)
        file.write(bytes(400_000))
    return bundle


@pytest.mark.parametrize(
    "command",
    [
        "predict SAMPLE --bundle BUNDLE -o OUT --devices cpu",
        "submit SAMPLE --bundle BUNDLE",
        "train SAMPLE OTHERS --bundle BUNDLE -o OUT --devices cpu",
        "evaluate SAMPLE OTHERS --bundle BUNDLE -o OUT --devices cpu",
        "models verify BUNDLE",
        "models convert OUT --dnabert demo --esm2 BUNDLE --head demo",
    ],
)
def test_a_command_names_the_file_and_what_to_do(
    virnucpro: Virnucpro, damaged: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "check_redis", lambda _: None)
    places = {"SAMPLE": SAMPLE, "OTHERS": OTHERS, "BUNDLE": damaged, "OUT": tmp_path / "out"}
    ended = virnucpro(*(places.get(word, word) for word in command.split()))
    assert ended.code == ExitCode.BAD_INPUT
    assert f"{damaged}: esm2/model.safetensors differs from the digest in bundle.json" in ended.err[-1]
    assert "copy or convert the bundle again" in ended.err[-1]
    assert not (tmp_path / "out").exists()


def test_doctor_tells_it(virnucpro: Virnucpro, damaged: Path) -> None:
    ended = virnucpro("doctor", "--bundle", damaged)
    assert any("esm2/model.safetensors differs" in line for line in ended.out)


def test_no_worker_is_started(damaged: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("VIRNUCPRO_BUNDLE", str(damaged))
    monkeypatch.setattr(supervisor, "Supervisor", lambda *_, **__: pytest.fail("started"))
    assert supervisor.main(["--devices", "cpu", "--coordinators", "0"]) == ExitCode.BAD_INPUT
    assert "esm2/model.safetensors differs from the digest" in capsys.readouterr().err
