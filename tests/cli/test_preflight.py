"""What commands refuse before a bundle is hashed, a server started or anything written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from job import OTHERS, SAMPLE

from virnucpro_tasks.cli import labelled, predict, preflight, submit
from virnucpro_tasks.cli.preflight import check_place, require_new_file
from virnucpro_tasks.errors import ExitCode, OutputError
from virnucpro_tasks.system.gpus import Gpu


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test at the first work: hashing the bundle, or a job."""
    for module in (predict, labelled):
        monkeypatch.setattr(module, "find_bundle", lambda *_, **__: pytest.fail("the bundle was hashed"))
    monkeypatch.setattr(submit, "check_redis", lambda _: None)
    monkeypatch.setattr(submit, "find_bundle", lambda *_, **__: pytest.fail("the bundle was hashed"))
    monkeypatch.setattr(preflight, "list_gpus", lambda: (Gpu(0, "GPU-0aaa", capability=(7, 0)),))
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("workers were started"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


COMMANDS = {
    "predict": ("predict", SAMPLE, "-o", "OUT"),
    "train": ("train", SAMPLE, OTHERS, "-o", "OUT"),
    "evaluate": ("evaluate", SAMPLE, OTHERS, "-o", "OUT"),
    "worker": ("worker",),
    "bench": ("bench",),
}


WITH_PRECISION = ("predict", "bench")


@pytest.mark.parametrize(
    ("commands", "flags", "says"),
    [
        (COMMANDS, ("--devices", "1"), "device '1' is not visible here (visible: 0 = 0)"),
        (COMMANDS, ("--devices", "GPU:1"), "device 'gpu:1' is not visible here (visible: 0 = 0)"),
        (COMMANDS, ("--devices", "tpu"), "device 'tpu' is not understood"),
        (WITH_PRECISION, ("--devices", "cpu", "--precision", "fp8"), "fp8 needs a CUDA device"),
        (COMMANDS, ("--devices", "cpu", "--attention", "triton"), "attention backend 'triton' needs a CUDA device"),
    ],
)
def test_devices_are_understood_alike_and_refused_at_once(
    commands: Iterable[str], flags: tuple[str, ...], says: str, virnucpro: Virnucpro, tmp_path: Path
) -> None:
    for command in commands:
        arguments = [str(tmp_path / "out") if given == "OUT" else given for given in COMMANDS[command]]
        ended = virnucpro(*arguments, *flags)
        assert ended.code == ExitCode.USAGE and says in ended.err[-1], (command, ended.err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["predict", "train", "evaluate", "submit", "chaos"])
def test_missing_inputs_are_bad_input(command: str, virnucpro: Virnucpro, tmp_path: Path) -> None:
    missing = [tmp_path / "one.fasta", tmp_path / "two.fasta"][: 1 if command == "chaos" else 2]
    output = () if command in ("submit", "chaos") else ("-o", tmp_path / "out")
    ended = virnucpro(command, *missing, *output)
    assert ended.code == ExitCode.BAD_INPUT
    assert f"{', '.join(map(str, missing))}: No such file or directory" in ended.err[-1]


@pytest.mark.parametrize("command", ["predict", "train", "evaluate", "submit"])
def test_a_place_that_cannot_be_written_is_refused(command: str, virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = virnucpro(command, SAMPLE, OTHERS, "-o", tmp_path / "file" / "out")
    assert ended.code == ExitCode.USAGE and "is not a folder" in ended.err[-1]


def test_a_folder_without_the_right_to_write_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_place(tmp_path / "new" / "folder")
    monkeypatch.setattr(preflight.os, "access", lambda *_: False)
    with pytest.raises(OutputError, match=f"new/folder cannot be written: {tmp_path}: Permission denied"):
        check_place(tmp_path / "new" / "folder")


def test_a_file_of_others_in_the_output_folder_is_found_before_the_bundle_is_hashed(
    virnucpro: Virnucpro, tmp_path: Path
) -> None:
    (tmp_path / "records.tsv").write_text("mine")
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path, "--devices", "cpu")
    assert ended.code == ExitCode.USAGE and "records.tsv exists already" in ended.err[-1]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_one_file_for_both_classes_is_refused(command: str, virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "link.fasta").symlink_to(SAMPLE)
    ended = virnucpro(command, SAMPLE, tmp_path / "link.fasta", "-o", tmp_path / "out")
    assert ended.code == ExitCode.BAD_INPUT and "is given for viruses and for others" in ended.err[-1]


def test_an_existing_report_is_refused_unless_it_is_to_be_replaced(virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "evaluation.svg").touch()
    ended = virnucpro("evaluate", "no-such-file", "-o", tmp_path)
    assert ended.code == ExitCode.USAGE and "already holds evaluation.svg" in ended.err[-1]
    assert "give two files" in virnucpro("evaluate", "no-such-file", "-o", tmp_path, "--force").err[-1]


def test_neither_a_device_nor_a_pipe_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for place in (tmp_path / "pipe", tmp_path / "link", Path("/dev/null"), Path("/dev/stdout"), Path("/dev/fd/1")):
        for force in (False, True):
            with pytest.raises(OutputError, match="is a device or a pipe"):
                require_new_file(place, force=force, may_replace=lambda file: pytest.fail("a pipe was opened"))


def test_a_link_is_replaced_by_force(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, target in (("to_file", "file"), ("to_nothing", "none")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(OutputError, match="exists already"):
            require_new_file(tmp_path / name, force=False)
        require_new_file(tmp_path / name, force=True)
    require_new_file(tmp_path / "to_file", force=False, may_replace=lambda file: True)


def test_a_file_given_twice_is_told(virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "link.fasta").symlink_to(SAMPLE)
    ended = virnucpro("predict", SAMPLE, tmp_path / "link.fasta", SAMPLE, "-o", tmp_path / "out", "--devices", "9")
    assert ended.err[:2] == [
        f"warning: {tmp_path / 'link.fasta'} is the same file as {SAMPLE}: its records are computed and counted twice",
        f"warning: {SAMPLE} is given twice: its records are computed and counted twice",
    ]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--devices", "cpu,cpu,cpu", "--threads", "2"), "3 CPU workers of 1 thread need more than --threads 2"),
        (("--devices", "cpu", "--threads", "1", "--cpu-threads", "2"), "cpu_threads is 2, more than threads"),
        (("--devices", "none"), "--devices none starts no worker"),
    ],
)
def test_workers_have_to_fit_into_the_cores_they_may_use(
    flags: tuple[str, ...], says: str, virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[Any] = []
    monkeypatch.setattr(predict, "limit_cores", limits.append)
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", *flags)
    assert ended.code == ExitCode.USAGE and says in ended.err[-1]
    assert limits in ([], [2], [None])
