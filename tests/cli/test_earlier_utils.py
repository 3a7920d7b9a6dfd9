"""The helpers of earlier versions have their meanings and exit codes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.cli import earlier_utils
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.settings import Settings, load_settings
from virnucpro_tasks.system.gpu_facts import GpuFacts
from virnucpro_tasks.system.gpus import Gpu

GOOD = b">a one\nACGTacgtN\n>b\nRYKMSWBDHV\n"


@pytest.mark.parametrize(
    ("content", "code", "parts"),
    [
        (GOOD, 0, ["2 records, 19 bases", "lengths 9 to 10, mean 9.5", "11 ambiguous bases (57.89%) in 2 records"]),
        (gzip.compress(GOOD, mtime=0), 0, ["2 records, 19 bases"]),
        (b"@r\nACGT\n+\nIIII\n", 0, ["1 record, 4 bases"]),
        (
            b">a\nACGT\n>a x\nACGT\n",
            1,
            ["record 2, 'a': its id is that of an earlier record", "1 duplicate id, 1 error"],
        ),
        (b">a\n>b\nACGT\n", 1, ["record 1, 'a': its sequence is empty"]),
        (b">a\nACGUACGTACGT\n", 1, ["letter 'U' at base 4 is no IUPAC code of DNA"]),
        (b">a\nAC-T\nAC\n", 1, ["letter '-' at base 3"]),
        (b">a\x1b[31m\nACGTJ\n", 1, [r"'a\x1b[31m': letter 'J'"]),
        (b"", 1, ["error: "]),
        (b"no sequence\n", 1, ["error: "]),
    ],
)
def test_validate(content: bytes, code: int, parts: list[str], virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "x.fasta").write_bytes(content)
    ended = virnucpro("utils", "validate", tmp_path / "x.fasta")
    said = "\n".join([*ended.out, *ended.err])
    assert ended.code == code and all(part in said for part in parts), said
    assert "\x1b" not in said
    if ended.out:
        assert ended.out[-1].endswith("is valid" if code == 0 else "is not valid")


@pytest.mark.parametrize(("flags", "listed"), [(("-e", "3"), 3), (("--max-errors", "0"), 0), ((), 10)])
def test_validate_lists_some_errors_and_counts_all(
    flags: tuple[str, ...], listed: int, virnucpro: Virnucpro, tmp_path: Path
) -> None:
    (tmp_path / "x.fasta").write_bytes(b">a\nACGT\n" * 15)
    ended = virnucpro("utils", "validate", tmp_path / "x.fasta", *flags)
    assert ended.code == ExitCode.UNEXPECTED
    assert len([line for line in ended.out if line.startswith("error: ")]) == listed
    assert f"{14 - listed:,} more errors are not listed" in ended.out and "14 duplicate ids, 14 errors" in ended.out


def test_a_generated_settings_file_has_all_settings_and_is_read_as_the_defaults(
    virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert virnucpro("utils", "generate-config").code == ExitCode.OK
    file = Path("virnucpro_config.yaml")
    assert load_settings(file=file, environment={}) == Settings()
    assert virnucpro("utils", "generate-config", "-o", "other.yaml").code == ExitCode.OK
    file.write_text("mine")
    assert virnucpro("utils", "generate-config").code == ExitCode.USAGE
    assert file.read_text() == "mine"
    assert virnucpro("utils", "generate-config", "--force").code == ExitCode.OK
    assert file.read_text() == Path("other.yaml").read_text()


def test_devices_are_listed_by_the_names_that_devices_takes(
    virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [
        GpuFacts(0, "One", 80_000_000_000, 79_000_000_000, (9, 0), is_visible=False),
        GpuFacts(1, "Two", None, None, None, is_visible=True),
    ]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setattr(earlier_utils, "list_gpus", lambda **_: (Gpu(0, "GPU-0"), Gpu(1, "GPU-1")))
    monkeypatch.setattr(earlier_utils, "gpu_facts", lambda *_, **__: facts)
    ended = virnucpro("utils", "list-devices")
    assert ended.out[0].startswith("cpu ")
    assert ended.out[1:] == [
        "-       One, 79.0 of 80.0 GB free, compute capability 9.0, hidden by CUDA_VISIBLE_DEVICES=1",
        "gpu:0   Two, available",
    ]
    monkeypatch.setattr(earlier_utils, "list_gpus", lambda **_: ())
    monkeypatch.setattr(earlier_utils, "gpu_facts", lambda *_, **__: [])
    assert virnucpro("utils", "list-devices").out[1:] == ["no GPU"]
    monkeypatch.setattr(earlier_utils, "list_gpus", lambda **_: None)
    assert "nvidia-ml-py" in virnucpro("utils", "list-devices").out[1]
