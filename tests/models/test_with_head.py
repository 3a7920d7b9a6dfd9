"""A classifier file becomes a bundle with the models of another one, once, and without running what is in it."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from virnucpro_tasks.cli.earlier_models import chosen_bundle
from virnucpro_tasks.errors import BundleError, SettingsError
from virnucpro_tasks.models.bundle import ENCODER_FILES, read_bundle
from virnucpro_tasks.models.locate import demo_bundle, find_bundle
from virnucpro_tasks.models.with_head import bundle_with_head
from virnucpro_tasks.settings import Settings


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier of the demonstration as a torch file, other by one number."""
    tensors = load_file(demo_bundle().path / "head" / "model.safetensors")
    name = next(name for name in tensors if name.endswith("weight") and tensors[name].ndim == 2)
    tensors[name][0, 0] += 1
    file = tmp_path_factory.mktemp("head") / "500_model.pth"
    torch.save(tensors, file)
    return file


def test_the_bundle_has_the_models_of_the_one_and_the_head_of_the_other(head: Path, tmp_path: Path) -> None:
    made = bundle_with_head(demo_bundle(), head, chunk_length=500, folder=tmp_path / "bundles")
    assert find_bundle(str(made.path)).digest == made.digest != demo_bundle().digest
    for name in ENCODER_FILES:
        assert (made.path / name).read_bytes() == (demo_bundle().path / name).read_bytes()
    stored = load_file(made.path / "head" / "model.safetensors")
    wanted = torch.load(head, weights_only=True)
    assert stored.keys() == wanted.keys() and all(torch.equal(stored[name], wanted[name]) for name in wanted)
    description = made.description
    assert (description.head, description.chunk_length, description.demonstration) == ("500_model.pth", 500, True)
    # And it is made once
    before = {file: file.stat().st_mtime_ns for file in made.path.rglob("*")}
    assert bundle_with_head(demo_bundle(), head, chunk_length=500, folder=tmp_path / "bundles").path == made.path
    assert {file: file.stat().st_mtime_ns for file in made.path.rglob("*")} == before
    # but for another length, which is another bundle
    assert bundle_with_head(demo_bundle(), head, chunk_length=300, folder=tmp_path / "bundles").path != made.path


MARK = f"{tempfile.gettempdir()}/virnucpro-test-was-run-{os.getpid()}"


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (MARK,)


@pytest.mark.parametrize("kind", ["malicious", "malicious zip", "text", "empty", "of another width", "cut", "nan"])
def test_what_is_no_fitting_classifier_is_refused(kind: str, head: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    if kind == "malicious":
        file.write_bytes(pickle.dumps(Malicious()))
    elif kind == "malicious zip":
        torch.save({"model": Malicious()}, file)
    elif kind == "of another width":
        tensors = torch.load(head, weights_only=True)
        name = next(name for name in tensors if name.endswith("weight") and tensors[name].ndim == 2)
        torch.save(tensors | {name: tensors[name][:, 1:].contiguous()}, file)
    elif kind == "nan":
        tensors = torch.load(head, weights_only=True)
        torch.save({name: tensor * torch.nan for name, tensor in tensors.items()}, file)
    else:
        file.write_bytes({"text": b"no classifier\n", "empty": b"", "cut": head.read_bytes()[:-100]}[kind])
    with pytest.raises(BundleError):
        bundle_with_head(demo_bundle(), file, chunk_length=500, folder=tmp_path / "bundles")
    assert not Path(MARK).exists()
    assert not list((tmp_path / "bundles").rglob("bundle.json"))


def chosen(
    settings: Settings,
    *,
    given: str | None = None,
    kind: str | None = None,
    path: Path | None = None,
    classifiers: dict[str, Path | None] | None = None,
    length: int | None = None,
    allow_mismatch: bool = False,
) -> str | None:
    return chosen_bundle(
        settings,
        given=given,
        model_type=kind,
        model_path=path,
        classifiers=classifiers or {},
        chunk_length=length,
        allow_mismatch=allow_mismatch,
        quiet=True,
    )


def test_settings_name_the_bundle_of_a_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: Path) -> None:
    three = str(bundle_with_head(demo_bundle(), head, chunk_length=300, folder=tmp_path).path)
    assert chosen(Settings()) is None
    assert chosen(Settings(bundle="demo")) == chosen(Settings(bundle_500="demo")) == "demo"
    both = Settings(bundle_300=three, bundle_500="demo")
    assert (chosen(both), chosen(both, kind="300"), chosen(both, kind="500")) == ("demo", three, "demo")
    assert chosen(Settings(bundle=three), kind="300") == three
    assert chosen(both, given="demo", kind="500") == "demo"
    for settings, kind in ((Settings(bundle=three), "500"), (Settings(bundle_300="demo"), "300"), (Settings(), "500")):
        with pytest.raises(SettingsError):
            chosen(settings, kind=kind)


def test_a_classifier_is_used_with_the_models_that_are_set(
    head: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for settings, given in ((Settings(bundle="demo"), None), (Settings(), "demo")):
        made = chosen(settings, given=given, kind="custom", path=head)
        assert made is not None and Path(made).parent == tmp_path / "virnucpro" / "bundles"
    with pytest.raises(BundleError, match="by its name"):
        chosen(Settings(bundle="demo"), kind="300", path=head)
    with pytest.raises(BundleError, match="trained on chunks of 500 bases, not 300"):
        chosen(Settings(bundle="demo"), path=head, length=300)
    # Chunks of another length may be asked for; the classifier stays what its name says, if it says it.
    asked = {"length": 300, "allow_mismatch": True}
    made = chosen(Settings(bundle="demo"), path=head, **asked)
    assert made is not None and read_bundle(Path(made)).description.chunk_length == 500
    renamed = tmp_path / "renamed.pth"
    renamed.write_bytes(head.read_bytes())
    made = chosen(Settings(bundle="demo"), path=renamed, **asked)
    assert made is not None and read_bundle(Path(made)).description.chunk_length == 300
    with pytest.raises(SettingsError, match="no model bundle is set"):
        chosen(Settings(), path=head)
    (tmp_path / "model.pth").write_bytes(head.read_bytes())
    with pytest.raises(BundleError, match="how long were the chunks"):
        chosen(Settings(bundle="demo"), path=tmp_path / "model.pth")


def test_the_classifier_of_a_model_type_is_the_path_that_is_not_given(
    head: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    other = tmp_path / "mine.pth"
    other.write_bytes(head.read_bytes())
    demo, of_types = Settings(bundle="demo"), {"300": other, "500": head}
    with_head = chosen(demo, path=head)
    assert with_head is not None
    assert chosen(demo, classifiers=of_types) == chosen(demo, classifiers=of_types, kind="500") == with_head
    made = chosen(demo, classifiers=of_types, kind="300")
    assert made is not None and read_bundle(Path(made)).description.chunk_length == 300
    assert chosen(demo, classifiers={"300": other}) == "demo"
    assert chosen(demo, classifiers={"500": other}, kind="custom", path=head) == with_head
    # With the models of a bundle that is given, too, and then by its chunk length
    assert chosen(Settings(), classifiers=of_types, given="demo") == with_head
    again = chosen(Settings(), classifiers=of_types, given=made)
    assert again is not None and read_bundle(Path(again)).description.chunk_length == 300
    assert chosen(demo, classifiers={"300": other}, given="demo") == "demo"
    with pytest.raises(SettingsError, match=r"there is no classifier .*gone\.pth"):
        chosen(demo, classifiers={"500": tmp_path / "gone.pth"}, given="demo")
    with pytest.raises(SettingsError, match=r"there is no classifier .*gone\.pth, which .*prediction\.models\.500"):
        chosen(demo, classifiers={"500": tmp_path / "gone.pth"})
    assert chosen(demo, classifiers={"300": tmp_path / "gone.pth"}) == "demo"
