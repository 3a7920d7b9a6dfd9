"""What a command writes is complete, and never goes over a file that it was not asked to replace."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.cli.results import copy_results
from virnucpro_tasks.cli.write_file import new_file, write_new_file
from virnucpro_tasks.errors import ExitCode, OutputError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.system.file_operations import rename_new

APPEARS = ["file", "link", "link to nothing", "folder"]


def put(kind: str, place: Path, elsewhere: Path) -> None:
    """Have something of another program at `place`."""
    elsewhere.write_text("mine")
    match kind:
        case "file":
            place.write_text("mine")
        case "link":
            place.symlink_to(elsewhere)
        case "link to nothing":
            place.symlink_to(elsewhere.parent / "nowhere")
        case "folder":
            place.mkdir()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def no_links(*arguments: object, **options: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("kind", APPEARS)
def test_what_appeared_meanwhile_stays(
    kind: str, has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_links:
        monkeypatch.setattr("virnucpro_tasks.system.file_operations.os.link", no_links)
    place, elsewhere = tmp_path / "out" / "table", tmp_path / "elsewhere"
    place.parent.mkdir()
    with (
        pytest.raises(OutputError, match="exists since this command began: it is not replaced"),
        new_file(place, force=False) as temporary,
    ):
        temporary.write_text("ours")
        put(kind, place, elsewhere)
    assert names(place.parent) == ["table"]
    assert elsewhere.read_text() == "mine"
    assert place.is_dir() or place.is_symlink() or place.read_text() == "mine"
    if kind == "folder":
        return
    write_new_file(place, b"ours", force=True)
    assert place.read_text() == "ours" and not place.is_symlink() and elsewhere.read_text() == "mine"


@pytest.mark.parametrize("has_links", [True, False])
def test_a_new_file_is_there_with_one_name(has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_links:
        monkeypatch.setattr("virnucpro_tasks.system.file_operations.os.link", no_links)
    write_new_file(tmp_path / "table", b"ours", force=False)
    assert names(tmp_path) == ["table"]
    assert (tmp_path / "table").read_bytes() == b"ours" and (tmp_path / "table").stat().st_nlink == 1


def test_the_second_answer_of_a_file_server_is_no_other_file(tmp_path: Path) -> None:
    """NFS may have made the link, have its answer lost, and say that the name is taken when it is asked again."""
    (tmp_path / "new").write_text("ours")
    os.link(tmp_path / "new", tmp_path / "file")
    rename_new(tmp_path / "new", tmp_path / "file")
    (tmp_path / "other").write_text("mine")
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "new", tmp_path / "other")


@pytest.mark.parametrize("kind", APPEARS)
def test_results_do_not_replace_what_appeared_while_they_were_copied(kind: str, finished: Job, tmp_path: Path) -> None:
    out = tmp_path / "out"
    place = out / "chunks.tsv"
    with pytest.raises(OutputError, match="appeared while the results were copied, and is not replaced"):
        copy_results(finished, out, force=False, before_replacing=lambda: put(kind, place, tmp_path / "elsewhere"))
    assert not (out / "run.json").exists()
    assert not [name for name in names(out) if name.startswith(".")]
    assert (tmp_path / "elsewhere").read_text() == "mine"
    if kind == "folder":
        place.rmdir()
    else:
        place.unlink()
    copy_results(finished, out, force=False)
    assert (out / "run.json").exists()


def test_a_file_that_somebody_put_in_place_of_an_older_result_stays(finished: Job, tmp_path: Path) -> None:
    copy_results(finished, tmp_path, force=False)
    report = (tmp_path / "run.json").read_text()
    # As if the older results had had a table that the new ones do not have
    (tmp_path / "samples.tsv").write_text("mine")
    (tmp_path / "run.json").write_text(report.replace('"sha256": {', f'"sha256": {{"samples.tsv": "{"0" * 64}",', 1))
    copy_results(finished, tmp_path, force=True)
    assert (tmp_path / "samples.tsv").read_text() == "mine"


@pytest.mark.parametrize("arguments", ["report", "extract", "workbook", "config", "profile", "generate-config"])
def test_each_command_that_writes_a_file_replaces_none_unasked(
    arguments: str, virnucpro: Virnucpro, finished: Job, tmp_path: Path
) -> None:
    old = tmp_path / "old.yaml"
    old.write_text("device: {default: cpu}\n")
    results, place = finished.paths.results, tmp_path / "there"
    command = {
        "report": ("report", results),
        "extract": ("extract", results),
        "workbook": ("workbook", results / "records.tsv"),
        "config": ("config", "convert", old),
        "profile": ("profile", "-m", "esm2"),
        "generate-config": ("utils", "generate-config"),
    }[arguments]
    for kind in APPEARS:
        put(kind, place, tmp_path / "elsewhere")
        for flags in ([], ["--force"]) if kind == "folder" else ([],):
            ended = virnucpro(*command, "-o", place, *flags)
            assert ended.code == ExitCode.USAGE and "exists already" in ended.err[-1], kind
        assert (tmp_path / "elsewhere").read_text() == "mine"
        place.rmdir() if kind == "folder" else place.unlink()


def test_the_page_of_other_results_is_replaced_by_force_alone(
    virnucpro: Virnucpro, finished: Job, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    page.write_bytes((finished.paths.results / "report.html").read_bytes() + b"<!-- of another job -->")
    before = page.read_bytes()
    ended = virnucpro("report", finished.paths.results, "-o", page)
    assert ended.code == ExitCode.USAGE and "exists already" in ended.err[-1] and page.read_bytes() == before
    assert virnucpro("report", finished.paths.results, "-o", page, "--force").code == ExitCode.OK
    assert page.read_bytes() != before
