"""From the published files on a server to a bundle that works, as a user does it."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from authorities import authorities_read_once as authorities_read_once
from cli import commands
from cli.terminal import lines_shown, run_on_terminal
from models.file_server import Behaviour, FileServer, serving
from models.layouts import DNABERT_S, ESM2, HEAD, fair_esm_file, hugging_face_tensors, random_tensors, with_pooler
from safetensors.torch import save

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.models.bundle import read_bundle
from virnucpro_tasks.models.demo import train_tokenizer
from virnucpro_tasks.models.verification import verify_bundle


class MLPClassifier(torch.nn.Module):
    """The class whose instances VirNucPro publishes, pickled as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden_layer = torch.nn.Linear(HEAD.width, HEAD.hidden)
        self.bn1 = torch.nn.BatchNorm1d(HEAD.hidden)
        self.dropout = torch.nn.Dropout(0.5)
        self.output_layer = torch.nn.Linear(HEAD.hidden, 2)


def saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def head_file(monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(MLPClassifier, "__module__", "__main__")
    monkeypatch.setattr("__main__.MLPClassifier", MLPClassifier, raising=False)
    return saved(MLPClassifier())


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small models in the layouts of the published files."""
    train_tokenizer(["ACGTTGCAACGGATTACA" * 5], vocabulary=40).save(str(tmp_path / "tokenizer.json"))
    esm2 = random_tensors(ESM2.shapes(), 2)
    frequencies = {name: torch.linspace(1.0, 0.1, shape[0]) for name, shape in ESM2.frequency_shapes().items()}
    return {
        "dnabert-s/pytorch_model.bin": saved(with_pooler(random_tensors(DNABERT_S.shapes(), 1), DNABERT_S.width)),
        "dnabert-s/config.json": json.dumps({"num_attention_heads": DNABERT_S.heads}).encode(),
        "dnabert-s/tokenizer.json": (tmp_path / "tokenizer.json").read_bytes(),
        "esm2-fair/esm2_tiny.pt": saved(fair_esm_file(esm2 | frequencies, heads=ESM2.heads)),
        "esm2-hf/model.safetensors": save(hugging_face_tensors(esm2 | frequencies, prefix="esm.", one_table=True)),
        "esm2-hf/config.json": json.dumps({"num_attention_heads": ESM2.heads}).encode(),
        "head-500/500_model.pth": head_file(monkeypatch),
    }


@pytest.fixture
def server(published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving(dict(published)) as server:
        yield server


@pytest.fixture
def manifest(server: FileServer, tmp_path: Path) -> Path:
    """A manifest with digests of all files but the head."""
    parts = {"dnabert-s": "dnabert-s", "esm2-fair": "esm2", "esm2-hf": "esm2", "head-500": "head"}
    models: dict[str, Any] = {
        name: {"part": part, "title": name.upper(), "page": "https://example.org/p", "files": []}
        | {"licence": "not known" if part == "head" else "MIT", "licence_from": "its page"}
        for name, part in parts.items()
    }
    for path, content in server.files.items():
        model, name = path.split("/")
        known = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        facts = {"most_bytes": 10**6} if model == "head-500" else known
        models[model]["files"].append({"name": name, "url": f"{server.address}/{path}"} | facts)
    common = {"dnabert": "dnabert-s", "head": "head-500", "chunk_length": 500}
    bundles = {"all-fair": {"esm2": "esm2-fair"} | common, "all-hf": {"esm2": "esm2-hf"} | common}
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"format_version": 1, "models": models, "bundles": bundles}))
    return file


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path, manifest: Path
) -> Callable[..., tuple[int, str, str]]:
    """`virnucpro models pull ...` with the manifest: exit code, standard output, standard error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, command: str = "pull") -> tuple[int, str, str]:
        options = ["--manifest", str(manifest)] if command == "pull" else []
        capsys.readouterr()
        code = commands.run(monkeypatch, "models", command, *map(str, arguments), *options)
        return code, *capsys.readouterr()

    return call


def files_below(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("name", ["all-fair", "all-hf"])
def test_one_command_leads_from_the_published_files_to_a_bundle(name: str, run: Callable, tmp_path: Path) -> None:
    code, out, err = run(name, "--convert", tmp_path / "bundle", "--json")
    assert code == ExitCode.OK, err
    bundle = read_bundle(tmp_path / "bundle")
    verify_bundle(bundle)
    shown = json.loads(out)
    assert shown["bundle"] == {"path": str(tmp_path / "bundle"), "digest": bundle.digest}
    assert [entry["as_published"] for entry in shown["files"]] == [True] * (len(shown["files"]) - 1) + [False]
    assert bundle.description.chunk_length == 500
    assert bundle.description.licences == {"dnabert-s": "MIT", "esm2": "MIT", "head": "not known"}
    assert (tmp_path / "cache/virnucpro/downloads/head-500/500_model.pth").is_file()


def test_the_command_that_is_named_makes_the_same_bundle(run: Callable, tmp_path: Path) -> None:
    code, _, err = run("all-fair", "--output", "here with space")
    assert code == ExitCode.OK
    named = next(line for line in err.splitlines() if line.startswith("Next: "))
    arguments = shlex.split(named.removeprefix("Next: "))
    assert arguments[:3] == ["virnucpro", "models", "convert"]
    assert run(*arguments[3:], command="convert")[0] == ExitCode.OK
    assert run("all-fair", "--output", "here with space", "--convert", "again/all-fair")[0] == ExitCode.OK
    assert read_bundle(tmp_path / "all-fair").digest == read_bundle(tmp_path / "again" / "all-fair").digest


def test_both_layouts_of_esm2_give_the_same_weights(run: Callable, tmp_path: Path) -> None:
    for name in ("all-fair", "all-hf"):
        assert run(name, "--convert", tmp_path / name)[0] == ExitCode.OK
    digests = [read_bundle(tmp_path / name).description.sha256 for name in ("all-fair", "all-hf")]
    assert digests[0] == digests[1]


def test_it_says_licences_digests_and_what_is_not_known(run: Callable, published: dict[str, bytes]) -> None:
    code, out, err = run("all-fair", "--output", "here")
    assert (code, out) == (ExitCode.OK, "")
    assert "esm2-fair: ESM2-FAIR; licence: MIT (its page); https://example.org/p" in err
    assert "head-500: HEAD-500; licence: not known" in err
    digest = hashlib.sha256(published["head-500/500_model.pth"]).hexdigest()
    assert f"SHA-256 {digest}; the published one is not known to us" in err
    assert err.count("SHA-256 as published") == 4


def test_a_repeated_pull_fetches_nothing(run: Callable, server: FileServer) -> None:
    assert run("esm2-fair", "--output", "here")[0] == ExitCode.OK
    server.requests.clear()
    code, _, err = run("esm2-fair", "--output", "here")
    assert (code, server.requests) == (ExitCode.OK, [])
    assert ": kept, " in err


def test_the_setting_names_the_folder(run: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIRNUCPRO_DOWNLOADS", str(tmp_path / "stated"))
    assert run("esm2-fair")[0] == ExitCode.OK
    assert files_below(tmp_path / "stated") == ["esm2-fair/SHA256SUMS", "esm2-fair/esm2_tiny.pt"]


def test_an_offline_host(run: Callable, server: FileServer, tmp_path: Path) -> None:
    assert run("all-hf", "--output", "online")[0] == ExitCode.OK
    shutil.move("online", "usb")
    server.requests.clear()
    assert run("all-hf", "--output", "offline", "--from", "usb", "--convert", "bundle")[0] == ExitCode.OK
    assert server.requests == []
    verify_bundle(read_bundle(tmp_path / "bundle"))


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["nobody"], ExitCode.USAGE, "all-fair, all-hf, dnabert-s"),
        (["all-fair", "--from", ".", "--mirror", "https://x"], ExitCode.USAGE, "exclude"),
        (["all-fair", "--from", "absent"], ExitCode.BAD_INPUT, "absent: no such folder"),
        (["all-fair", "--mirror", "nowhere"], ExitCode.USAGE, "--mirror"),
        (["esm2-fair", "--convert", "new"], ExitCode.USAGE, "name of a bundle"),
        (["all-fair", "--convert", "."], ExitCode.USAGE, "exists already"),
        (["all-fair", "--output", ""], ExitCode.USAGE, "empty"),
        (["all-fair", "--mirror", "http://127.0.0.1:1/"], ExitCode.UNREACHABLE, "--from"),
    ],
)
def test_what_cannot_be(
    arguments: list[str], code: ExitCode, part: str, run: Callable, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    found, _, err = run(*arguments)
    assert (found, part in err) == (code, True), err
    assert server.requests == []


def test_codes_of_a_refusal_and_of_a_wrong_file(run: Callable, server: FileServer, published: dict) -> None:
    server.script = [Behaviour(status=403)]
    code, _, err = run("esm2-fair", "--output", "here")
    assert (code, "answers 403 (Forbidden)" in err) == (ExitCode.UNREACHABLE, True)
    server.files["esm2-fair/esm2_tiny.pt"] = bytes(len(published["esm2-fair/esm2_tiny.pt"]))
    code, _, err = run("esm2-fair", "--output", "here")
    assert (code, "the server has another file" in err) == (ExitCode.BAD_INPUT, True)


def test_without_torch_the_conversion_is_refused_before_anything_is_fetched(
    run: Callable, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virnucpro_tasks.system.extras.find_spec", lambda name: None)
    code, _, err = run("all-fair", "--convert", "new")
    assert (code, server.requests) == (ExitCode.USAGE, [])
    assert ".[worker]" in err


def test_ctrl_c_keeps_what_was_fetched_and_says_so(
    run: Callable, server: FileServer, published: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = len(published["esm2-fair/esm2_tiny.pt"]) // 2
    server.script = [Behaviour(cut_after=place)]
    with monkeypatch.context() as patch:
        patch.setattr("virnucpro_tasks.models.download.time.sleep", _interrupt)
        code, _, err = run("esm2-fair", "--output", "here")
    assert code == ExitCode.INTERRUPTED
    assert "what was fetched is kept: the same command goes on from there" in err
    assert run("esm2-fair", "--output", "here")[0] == ExitCode.OK
    assert server.requests[-1].headers["range"] == f"bytes={place}-"


def _interrupt(seconds: float) -> None:
    raise KeyboardInterrupt


def test_without_a_name_all_names_are_listed(run: Callable, server: FileServer) -> None:
    code, out, _ = run()
    assert (code, server.requests) == (ExitCode.OK, [])
    assert [line.split()[0] for line in out.splitlines()] == [
        "all-fair", "all-hf", "dnabert-s", "esm2-fair", "esm2-hf", "head-500",
    ]  # fmt: skip
    code, out, _ = run("--json")
    assert json.loads(out)[-1] == {
        "name": "head-500", "models": [], "bytes": 0, "sizes_known": False, "digests_known": False,
        "licences": ["not known"],
    }  # fmt: skip


def test_on_a_terminal_one_line_is_redrawn(server: FileServer, manifest: Path, tmp_path: Path) -> None:
    server.files["esm2-fair/esm2_tiny.pt"] = content = bytes(3_000_000)
    entries = json.loads(manifest.read_text())
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    entries["models"]["esm2-fair"]["files"][0] |= facts
    manifest.write_text(json.dumps(entries))
    server.script = [Behaviour(cut_after=1_000_000)]
    code = (
        "import sys\n"
        "from virnucpro_tasks.cli.main import main\n"
        f"sys.argv = ['virnucpro', 'models', 'pull', 'esm2-fair', '--manifest', {str(manifest)!r},"
        f" '--output', {str(tmp_path / 'here')!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
    )
    lines = lines_shown(run_on_terminal(code, columns=60))
    drawn = [line for line in lines if line.endswith(" left") or " %" in line]
    assert drawn and all(len(line) < 60 for line in drawn)
    # A message may be broken between any two of its words.
    text = " ".join(" ".join(lines).split())
    assert "next try in 1 s, from byte 1,000,000 on" in text
    assert "For virnucpro models convert: --esm2 " in text
