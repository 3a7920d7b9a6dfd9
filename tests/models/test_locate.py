from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.models.locate import demo_bundle, find_bundle
from virnucpro_tasks.models.verification import verify_bundle


def test_shipped_demonstration_is_whole_small_and_says_what_it_is() -> None:
    bundle = demo_bundle()
    verify_bundle(bundle)
    assert bundle.description.demonstration
    assert "DEMONSTRATION" in bundle.description.label
    assert sum(file.stat().st_size for file in bundle.path.rglob("*") if file.is_file()) < 8_000_000


def test_names() -> None:
    assert find_bundle("demo") == demo_bundle()
    assert find_bundle(str(demo_bundle().path)).digest == demo_bundle().digest


@pytest.mark.parametrize("name", [None, ""])
def test_no_name(name: str | None) -> None:
    with pytest.raises(SettingsError, match="--bundle"):
        find_bundle(name)


def test_finding_imports_neither_torch_nor_tokenizers() -> None:
    code = (
        "import sys; from virnucpro_tasks.models.locate import demo_bundle; demo_bundle();"
        "sys.exit(bool({'torch', 'tokenizers'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
