from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cli import commands
from models.layouts import DNABERT_S, ESM2, HEAD, fair_esm_file, random_tensors

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.models.bundle import CARD_FILE, MEMBER_FILES, read_bundle
from virnucpro_tasks.models.demo import train_tokenizer
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import HeadSizes
from virnucpro_tasks.models.verification import verify_bundle

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sample.fasta"
FILES = sorted([*MEMBER_FILES, "bundle.json"])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str, str]]:
    """`virnucpro models ...`: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = commands.run(monkeypatch, "models", *map(str, arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_bundle().path, tmp_path / "bundle"))


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "published"
    folder.mkdir()
    torch.save(random_tensors(DNABERT_S.shapes(), 1), folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": DNABERT_S.heads}))
    train_tokenizer(["ACGTTGCAACGGATTACA" * 5], vocabulary=40).save(str(folder / "tokenizer.json"))
    torch.save(fair_esm_file(random_tensors(ESM2.shapes(), 2), heads=ESM2.heads), tmp_path / "esm2.pt")
    torch.save(random_tensors(HEAD.shapes(), 3), tmp_path / "500_model.pth")
    return {"--dnabert": folder, "--esm2": tmp_path / "esm2.pt", "--head": tmp_path / "500_model.pth"}


def flat(options: dict[str, Any]) -> list[Any]:
    return [part for option in options.items() for part in option]


def same_files(first: Path, second: Path) -> bool:
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in FILES)


def files_of(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_convert_makes_a_bundle_and_shows_it(run: Callable, sources: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "mine"
    options = flat(sources | {"--chunk-length": 500, "--precision": "bf16", "--licence": "esm2=MIT"})
    code, out, _ = run("convert", output, *options, "--json")
    shown = json.loads(out)
    bundle = read_bundle(output)
    verify_bundle(bundle)
    assert code == ExitCode.OK
    assert (shown["name"], shown["path"], shown["digest"]) == ("mine", str(output), bundle.digest)
    assert (shown["precision"], shown["chunk_length"], shown["demonstration"]) == ("bf16", 500, False)
    assert shown["licences"]["esm2"] == "MIT"
    assert shown["bytes"] == sum((output / name).stat().st_size for name in MEMBER_FILES)
    code, out, _ = run("verify", output)
    assert code == ExitCode.OK
    assert bundle.digest[:12] in out


@pytest.mark.parametrize(
    ("change", "code", "part"),
    [
        ({"--esm2": "absent.pt"}, ExitCode.BAD_INPUT, "absent.pt"),
        ({"--head": "absent.pth"}, ExitCode.BAD_INPUT, "absent.pth"),
        ({"--tokenizer": "absent.json"}, ExitCode.BAD_INPUT, "absent.json"),
        ({"--chunk-length": 300}, ExitCode.BAD_INPUT, "500_model.pth"),
        ({"--chunk-length": 5}, ExitCode.USAGE, "--chunk-length"),
        ({"--precision": "fp8"}, ExitCode.USAGE, "--precision"),
        ({"--licence": "MIT"}, ExitCode.USAGE, "PART=TEXT"),
        ({"--licence": "esm3=MIT"}, ExitCode.BAD_INPUT, "esm3"),
        ({"--name": "a\nb"}, ExitCode.BAD_INPUT, "printable"),
    ],
)
def test_convert_that_cannot_be(
    change: dict, code: ExitCode, part: str, run: Callable, sources: dict[str, Path], tmp_path: Path
) -> None:
    output = tmp_path / "mine"
    found, _, err = run("convert", output, *flat({"--chunk-length": 500, **sources, **change}))
    assert (found, part in err) == (code, True)
    assert not output.exists()


def test_convert_of_a_head_for_another_esm2_says_which(run: Callable, sources: dict[str, Path], tmp_path: Path) -> None:
    torch.save(random_tensors(HeadSizes(DNABERT_S.width + 2560, 6).shapes(), 1), sources["--head"])
    code, _, err = run("convert", tmp_path / "mine", *flat(sources | {"--chunk-length": 500}))
    assert code == ExitCode.BAD_INPUT
    assert "ESM-2 t36_3B" in err


def test_existing_output_is_a_usage_error(run: Callable, sources: dict[str, Path], copied: Path) -> None:
    assert run("convert", copied, *flat(sources | {"--chunk-length": 500}))[0] == ExitCode.USAGE
    assert run("demo", copied)[0] == ExitCode.USAGE
    assert same_files(copied, demo_bundle().path)


def test_verify_of_the_demonstration(run: Callable) -> None:
    code, out, _ = run("verify", "demo", "--json")
    assert code == ExitCode.OK
    assert json.loads(out)["digest"] == demo_bundle().digest


@pytest.mark.parametrize("name", MEMBER_FILES)
def test_verify_names_the_file_with_one_flipped_byte(name: str, run: Callable, copied: Path) -> None:
    content = (copied / name).read_bytes()
    for place in (0, len(content) // 2, len(content) - 1):
        (copied / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        code, out, err = run("verify", copied)
        assert (code, out) == (ExitCode.BAD_INPUT, "")
        assert name in err
    (copied / name).write_bytes(content)
    assert run("verify", copied)[0] == ExitCode.OK


def test_verify_of_a_damaged_description(run: Callable, copied: Path) -> None:
    content = (copied / "bundle.json").read_bytes()
    (copied / "bundle.json").write_bytes(content.replace(b'"chunk_length": 500', b'"chunk_length": -500'))
    code, _, err = run("verify", copied)
    assert code == ExitCode.BAD_INPUT
    assert "bundle.json: expected" in err and "`$.chunk_length`" in err


@pytest.mark.parametrize(
    ("name", "code"), [("", ExitCode.USAGE), ("nowhere", ExitCode.BAD_INPUT), ("n" * 300, ExitCode.BAD_INPUT)]
)
def test_verify_of_no_bundle(name: str, code: ExitCode, run: Callable) -> None:
    assert run("verify", name)[0] == code


def test_list_shows_the_demonstration_and_what_is_in_the_folders(run: Callable, copied: Path) -> None:
    unfinished = copied.with_name(".half.1.tmp")
    shutil.copytree(copied, unfinished)
    (unfinished / MEMBER_FILES[0]).unlink()
    code, out, _ = run("list", copied.parent, copied, "--json")
    assert code == ExitCode.OK
    assert [entry["path"] for entry in json.loads(out)] == [str(demo_bundle().path), str(copied), str(copied)]
    code, out, _ = run("list", copied.parent)
    assert [line.split("  ")[0] for line in out.splitlines()] == ["demo", str(copied)]
    assert all("DEMONSTRATION" in line for line in out.splitlines())


def test_list_says_which_folders_hold_no_bundle(run: Callable, copied: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = run("list", tmp_path / "empty", copied)
    assert (code, len(out.splitlines())) == (ExitCode.OK, 2)
    assert err.splitlines() == [f"no bundle in {tmp_path / 'empty'}"]


def test_list_of_no_folder(run: Callable, tmp_path: Path) -> None:
    assert run("list", tmp_path / "absent")[0] == ExitCode.BAD_INPUT


def test_demo_is_a_copy(run: Callable, tmp_path: Path) -> None:
    code, out, _ = run("demo", tmp_path / "copy", "--json")
    assert code == ExitCode.OK
    assert json.loads(out)["digest"] == demo_bundle().digest
    assert files_of(tmp_path / "copy") == sorted([*FILES, CARD_FILE])
    assert same_files(tmp_path / "copy", demo_bundle().path)


def test_random_weights_built_twice_are_the_same_byte_for_byte(run: Callable, tmp_path: Path) -> None:
    for name in ("once", "again"):
        assert run("demo", tmp_path / name, "--rebuild", SAMPLE)[0] == ExitCode.OK
        assert files_of(tmp_path / name) == FILES
    assert same_files(tmp_path / "once", tmp_path / "again")


def test_demo_of_another_seed_is_another_bundle(run: Callable, tmp_path: Path) -> None:
    code, out, _ = run("demo", tmp_path / "other", "--rebuild", SAMPLE, "--seed", 1, "--json")
    assert code == ExitCode.OK
    assert json.loads(out)["digest"] != demo_bundle().digest


def test_demo_that_cannot_be_built(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text("no FASTA")
    assert run("demo", tmp_path / "out", "--seed", 1)[0] == ExitCode.USAGE
    assert run("demo", tmp_path / "out", "--rebuild", tmp_path / "absent.fa")[0] == ExitCode.BAD_INPUT
    assert run("demo", tmp_path / "out", "--rebuild", tmp_path / "x.fa")[0] == ExitCode.BAD_INPUT
    assert run("demo", tmp_path / "out", "--rebuild", SAMPLE, "--seed", -1)[0] == ExitCode.USAGE
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("module", ["convert", "demo"])
def test_on_a_client_the_commands_that_need_a_worker_say_so(
    module: str, run: Callable, sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"virnucpro_tasks.models.{module}", None)
    options = flat(sources | {"--chunk-length": 500}) if module == "convert" else ["--rebuild", SAMPLE]
    code, _, err = run(module, tmp_path / "out", *options)
    assert code == ExitCode.USAGE
    assert ".[worker]" in err
