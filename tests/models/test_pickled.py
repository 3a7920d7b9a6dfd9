from __future__ import annotations

import pickle
import subprocess
import sys
import tarfile
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models.layouts import Runs, fair_esm_file, hostile_pickles, move_to_cuda, rewrite_pickle

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.legacy_pickle import MAGIC, PROTOCOL
from virnucpro_tasks.models.pickled import CLASSIFIER_CLASSES, FAIR_ESM_CLASSES, ModuleShell, read_torch_file

TRAINING_SCRIPT = """
import sys
import torch
from torch import nn

class MLPClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden_layer = nn.Linear(48, 6)
        self.bn1 = nn.BatchNorm1d(6)
        self.dropout = nn.Dropout(0.5)
        self.relu = nn.ReLU()
        self.output_layer = nn.Linear(6, 2)

torch.manual_seed(5)
model = MLPClassifier()
torch.save(model.state_dict(), sys.argv[1] + "/state.pth")
torch.save(model, sys.argv[1] + "/whole.pth")
torch.save(model.state_dict(), sys.argv[1] + "/legacy.pth", _use_new_zipfile_serialization=False)
torch.save(model, sys.argv[1] + "/legacy_whole.pth", _use_new_zipfile_serialization=False)
torch.save(nn.DataParallel(model), sys.argv[1] + "/parallel.pth")
torch.save(nn.DataParallel(model).state_dict(), sys.argv[1] + "/parallel_state.pth")
"""
HOSTILE = sorted(hostile_pickles(Path("marker")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classifiers as a training script saves them: their class is defined in its `__main__`."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.py").write_text(TRAINING_SCRIPT)
    subprocess.run([sys.executable, folder / "train.py", folder], check=True)
    assert b"__main__\nMLPClassifier" in (folder / "whole.pth").read_bytes()
    return folder


def read(file: Path, allowed: tuple = CLASSIFIER_CLASSES) -> dict[str, torch.Tensor]:
    zipped = file.read_bytes()[:2] == b"PK"
    return read_torch_file(file, allowed=allowed, zipped=zipped)[0]


@pytest.mark.parametrize("name", ["state", "whole", "legacy", "legacy_whole"])
def test_classifier_of_a_training_script(name: str, trained: Path) -> None:
    expected = torch.load(trained / "state.pth", weights_only=True)
    found = read(trained / f"{name}.pth")
    assert set(found) == set(expected)
    assert all(torch.equal(found[key], value) for key, value in expected.items())


@pytest.mark.parametrize("name", ["parallel", "parallel_state"])
def test_classifier_under_data_parallel(name: str, trained: Path) -> None:
    expected = torch.load(trained / "state.pth", weights_only=True)
    found = read(trained / f"{name}.pth")
    assert set(found) == {f"module.{key}" for key in expected}
    assert torch.equal(found["module.bn1.running_var"], expected["bn1.running_var"])


@pytest.mark.parametrize("name", ["state", "whole", "legacy", "legacy_whole"])
def test_what_was_saved_on_a_gpu_is_read_on_the_cpu(name: str, trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "cuda.pth"
    file.write_bytes((trained / f"{name}.pth").read_bytes())
    if name.startswith("legacy"):
        file.write_bytes(move_to_cuda(file.read_bytes()))
    else:
        rewrite_pickle(file, move_to_cuda)
    if name == "state":
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(file, weights_only=True)
    found, expected = read(file), read(trained / "state.pth")
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}
    assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_the_source_text_in_a_whole_classifier_of_an_old_torch_is_not_run(trained: Path) -> None:
    assert b"class MLPClassifier(nn.Module)" in (trained / "legacy_whole.pth").read_bytes()
    assert set(read(trained / "legacy_whole.pth")) == set(read(trained / "state.pth"))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5, 0.9, 0.999])
def test_a_whole_classifier_of_an_old_torch_that_is_cut_off(
    share: float, trained: Path, tmp_path: Path, refused: Callable
) -> None:
    data = (trained / "legacy_whole.pth").read_bytes()
    file = tmp_path / "cut.pth"
    file.write_bytes(data[: int(share * len(data))])
    assert "cannot be read as a torch file" in refused(file, read, file).what


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"c__main__\nMLPClassifier\n", b"cbuiltins\nexec\n", "refused: it asks for 'exec'"),
        (b"ctorch.nn.modules.linear\nLinear\n", b"cos\nsystem\n", "refused: it asks for 'os.system'"),
        (b"ctorch.nn.modules.linear\nLinear\n", b"ctorch\nload\n", "refused: it asks for 'torch.load'"),
        (b"ctorch._utils\n_rebuild_parameter\n", b"ctorch._utils\n__dict__\n", "refused: it asks for 'torch._utils."),
        (b"module", b"eludom", "'eludom' is neither a module nor a storage"),
        (b"moduleq\x00", b"moduler\xff\xff\xff\x7f", "it makes more notes than it can hold"),
        (b"M\x20\x01", b"M\xff\xff", "cannot be read"),
    ],
)
def test_a_whole_classifier_of_an_old_torch_that_was_changed(
    before: bytes, after: bytes, message: str, trained: Path, tmp_path: Path, refused: Callable
) -> None:
    data = (trained / "legacy_whole.pth").read_bytes()
    assert before in data
    file = tmp_path / "changed.pth"
    file.write_bytes(data.replace(before, after))
    assert message in refused(file, read, file).what


def test_a_pickle_of_the_old_form_cannot_change_what_the_next_one_reads(
    trained: Path, tmp_path: Path, refused: Callable
) -> None:
    """BUILD sets attributes of whatever lies on the stack: here of the class of the shells, and of a function."""
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True}))
    module = b"(X\x06\x00\x00\x00modulec__main__\nMLPClassifier\nNNtQ"
    slots = b"(N}X\x0c\x00\x00\x00__setstate__c__builtin__\nset\nstb."
    for target in (module, b"c__main__\nMLPClassifier\n", b"ctorch._utils\n_rebuild_tensor_v2\n"):
        file = tmp_path / "hostile.pth"
        file.write_bytes(head + b"\x80\x02" + module + b"0" + target + slots + pickle.dumps([], 2))
        refused(file, read, file)
        assert not hasattr(ModuleShell, "__setstate__")
        assert set(read(trained / "legacy_whole.pth")) == set(read(trained / "state.pth"))


def test_a_program_is_refused_as_one(tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "script.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(file))
    assert "a program (TorchScript)" in refused(file, read, file).what


def test_whole_module_of_another_class_is_refused_by_name(trained: Path, refused: Callable) -> None:
    file = trained / "other.pth"
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), file)
    assert "torch.nn.modules.container.Sequential" in refused(file, read, file).what


def test_number_of_heads_in_the_options_of_fair_esm(tmp_path: Path) -> None:
    file = tmp_path / "esm.pt"
    for heads in (3, None):
        torch.save(fair_esm_file({"embed_tokens.weight": torch.zeros(33, 4)}, heads=heads), file)
        assert read_torch_file(file, allowed=FAIR_ESM_CLASSES, zipped=True)[1] == heads
    torch.save({"args": Namespace(attention_heads=5), "model": {"a": torch.zeros(1)}}, file)
    assert read_torch_file(file, allowed=FAIR_ESM_CLASSES, zipped=True)[1] == 5
    torch.save({"args": Namespace(attention_heads="many"), "model": {"a": torch.zeros(1)}}, file)
    assert read_torch_file(file, allowed=FAIR_ESM_CLASSES, zipped=True)[1] is None


@pytest.mark.parametrize("allowed", [(), CLASSIFIER_CLASSES, FAIR_ESM_CLASSES], ids=["none", "classifier", "fair-esm"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_no_code_of_a_pickle_is_run(kind: str, zipped: bool, allowed: tuple, tmp_path: Path, refused: Callable) -> None:
    marker, file = tmp_path / "marker", tmp_path / "hostile.pth"
    torch.save(hostile_pickles(marker)[kind], file, _use_new_zipfile_serialization=zipped)
    error = refused(file, read, file, allowed)
    assert "nothing of it was run" in error.hint
    assert "refused: it asks for" in error.what
    assert not marker.exists()


def test_state_given_to_an_allowed_class_calls_nothing(tmp_path: Path, refused: Callable) -> None:
    """`__setstate__` of what a pickle may name: a shell has none, and its attributes are only looked up by name."""
    shell = ModuleShell()
    vars(shell).update(_parameters={"weight": torch.zeros(2)}, _modules={}, _buffers=5)
    file = tmp_path / "x.pth"
    torch.save(Runs(set, [1]), file)
    assert "no tensors" in refused(file, read, file).what
    rewritten = tmp_path / "y.pth"
    torch.save(shell, rewritten)
    name = f"{ModuleShell.__module__}\nModuleShell".encode()
    rewrite_pickle(rewritten, lambda pickled: pickled.replace(name, b"torch.nn.modules.linear\nLinear"))
    assert "cannot be read" in refused(rewritten, read, rewritten).what


def test_modules_that_hold_one_another_end(tmp_path: Path, refused: Callable) -> None:
    deepest = ModuleShell()
    for _ in range(60):
        outer = ModuleShell()
        vars(outer)["_modules"] = {"left": deepest, "right": deepest}
        deepest = outer
    file = tmp_path / "x.pth"
    torch.save(deepest, file)
    name = f"{ModuleShell.__module__}\nModuleShell".encode()
    rewrite_pickle(file, lambda pickled: pickled.replace(name, b"torch.nn.modules.linear\nLinear"))
    assert "more than 1000 modules" in refused(file, read, file).what


def test_wrappers_that_hold_themselves_end(tmp_path: Path, refused: Callable) -> None:
    content: dict = {}
    content["model"] = content
    torch.save(content, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", read, tmp_path / "x.pth")


@pytest.mark.parametrize("content", [None, [], 5, "text", {}, {"a": 1}, {5: torch.zeros(1)}, torch.zeros(2)])
def test_what_holds_no_tensors_by_name(content: object, tmp_path: Path, refused: Callable) -> None:
    torch.save(content, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", read, tmp_path / "x.pth")


def test_records_of_a_zip_are_not_unpacked(tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "deep" / "er" / "x.pth"
    file.parent.mkdir(parents=True)
    torch.save({"weight": torch.ones(2)}, file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../marker", "content")
        archive.writestr(str(tmp_path / "marker"), "content")
    refused(file, read, file)
    assert list(tmp_path.rglob("marker")) == []


def test_numbers_are_not_taken_from_outside_the_zip(tmp_path: Path, refused: Callable) -> None:
    (tmp_path / "0").write_bytes(b"\0" * 8)
    file = tmp_path / "x.pth"
    torch.save({"weight": torch.ones(2)}, file)
    rewrite_pickle(file, lambda pickled: pickled.replace(b"X\x01\x00\x00\x000", b"X\x07\x00\x00\x00../../0"))
    refused(file, read, file)


def test_the_oldest_kind_is_told(tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "old.pt"
    with tarfile.open(file, "w") as archive:
        archive.add(__file__, "pickle")
    assert "tar archive" in refused(file, read, file).what


def test_options_that_are_left_out_of_the_allowed_ones(tmp_path: Path) -> None:
    file = tmp_path / "esm.pt"
    torch.save(fair_esm_file({"embed_tokens.weight": torch.zeros(33, 4)}, heads=3), file)
    with pytest.raises(BundleError, match=r"argparse\.Namespace"):
        read(file, ())
