"""The built wheel, and a client installed from it in an environment of its own, without torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
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
    """The `virnucpro` of a new virtual environment that holds the client alone.

    What the wheel requires, and nothing else, is linked from the environment of the tests.
    """
    folder = tmp_path_factory.mktemp("client")
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    options = ["--quiet", "--no-compile", "--no-index", "--no-deps"]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    for name in required_by(requirements_of(wheel)):
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            link = packages / top
            # A namespace has several.
            if not link.exists():
                link.symlink_to(Path(str(distribution(name).locate_file(top))))
    subprocess.run([*pip, "check"], check=True)
    return folder / "bin" / "virnucpro"


def requirements_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as content:
        (metadata,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(content.read(metadata).decode()).get_all("Requires-Dist") or []


def required_by(requirements: Iterable[str], extras: frozenset[str] = frozenset()) -> set[str]:
    """The names of all packages that have to be installed for these requirements of a package with such extras."""
    names: set[str] = set()
    for requirement in map(Requirement, requirements):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            names |= {requirement.name}
            names |= required_by(distribution(requirement.name).requires or (), frozenset(requirement.extras))
    return names


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
