"""The built wheel, and a client installed from it in an environment of its own, without torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from service.deployment import Deployment

pytestmark = [pytest.mark.service, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "examples" / "sample.fasta"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    for name in ("virnucpro_tasks", "workers"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def client(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `virnucpro` of a new virtual environment that holds the client alone."""
    folder = tmp_path_factory.mktemp("client")
    venv.create(folder, with_pip=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", *options]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), str(wheel)], check=True)
    return folder / "bin" / "virnucpro"


def test_the_wheel_claims_two_names_and_holds_the_demonstration(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        facts = Parser().parsestr(content.read(metadata).decode())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"virnucpro_tasks", "virnucpro_workers"}
    assert "virnucpro_tasks/models/demo_bundle/esm2/model.safetensors" in names
    assert "virnucpro_tasks/models/published.toml" in names
    assert "virnucpro_tasks/py.typed" in names
    assert {
        f"virnucpro_tasks/report/{name}" for name in ("template.html", "macros.html", "vendor/LICENSE-d3.txt")
    } <= set(names)
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "virnucpro_tasks").rglob("*.py")}
    modules |= {str(file.relative_to(ROOT / "workers")) for file in (ROOT / "workers").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert facts["Name"] == "virnucpro-tasks"
    assert set(facts.get_all("Provides-Extra") or ()) >= {"worker", "gpu", "flower", "embedded", "dev"}
    always = [line for line in facts.get_all("Requires-Dist") or () if "extra ==" not in line]
    assert not any(line.startswith(("torch", "tokenizers", "transformers", "fair-esm")) for line in always)
    assert any(line.startswith("celery[redis]") and ">=5.7" in line for line in always)


def test_a_client_without_torch_submits_and_fetches(serving: Deployment, client: Path, tmp_path: Path) -> None:
    def run(*arguments: str, expect: int = 0) -> str:
        done = subprocess.run(
            [str(client), *arguments],
            env={**serving.environment, "PYTHONPATH": ""},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    assert run("--version").startswith("virnucpro, version ")
    python = client.parent / "python"
    probe = "import importlib.util as u, sys; sys.exit(any(u.find_spec(n) for n in ('torch', 'tokenizers')))"
    assert subprocess.run([str(python), "-c", probe], env=os.environ, check=False).returncode == 0
    run("submit", str(SAMPLE), "--force-new", "--output", str(tmp_path / "out"))
    assert (tmp_path / "out" / "records.tsv").read_bytes().count(b"\n") == 15
    assert "demonstration" in run("models", "list")
    assert ".[worker]" in run("worker", expect=2)
    assert "nothing to start" in run("worker", "--devices", "none", "--coordinators", "0", expect=2)
    assert ".[worker]" in run("models", "demo", "x", "--rebuild", str(SAMPLE), expect=2)
