"""The two classic tables where earlier versions have them, beside our own results and never over those of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE

from virnucpro_tasks.cli.earlier_layout import (
    CLASSIC_FILES,
    default_output,
    merged_folder,
    put_classic_files,
    require_free_layout,
)
from virnucpro_tasks.errors import OutputError, SettingsError
from virnucpro_tasks.jobs.job import Job


@pytest.mark.parametrize(
    ("file", "output"),
    [
        ("reads.fa", "reads_predictions"),
        ("/data/run.1/reads.fasta", "reads_predictions"),
        ("reads.fasta.gz", "reads_predictions"),
        ("reads.FNA.ZST", "reads_predictions"),
        ("reads.v2.fasta", "reads.v2_predictions"),
        ("reads.gz", "reads_predictions"),
        ("reads", "reads_predictions"),
        (".fasta", ".fasta_predictions"),
    ],
)
def test_output_is_named_after_the_input(file: str, output: str) -> None:
    assert default_output([Path(file)]) == Path(output)


@pytest.mark.parametrize("inputs", [[], [Path("-")], [Path("a.fa"), Path("b.fa")]])
def test_without_one_named_input_the_folder_is_to_be_given(inputs: list[Path]) -> None:
    with pytest.raises(SettingsError, match="give --output FOLDER"):
        default_output(inputs)


@pytest.mark.parametrize(
    ("layout", "file", "folder"),
    [
        ("broad", "in/reads.fasta", "out/reads_merged"),
        ("original", "in/reads.fasta", "in/reads_merged"),
        ("original", "in/reads.fna", "in/reads.fna_merged"),
        ("original", "in.family/my.fast.fa", "in.family/my_merged"),
        ("original", "in/.fa", "in/.fa_merged"),
    ],
)
def test_the_folder_of_each_layout(layout: str, file: str, folder: str) -> None:
    assert merged_folder(layout, [Path(file)], Path("out")) == Path(folder)


def test_files_are_put_there_and_those_of_others_stay(finished: Job, tmp_path: Path) -> None:
    folder = tmp_path / "reads_merged"
    put_classic_files(finished.paths.results, folder, force=False)
    assert sorted(file.name for file in folder.iterdir()) == sorted(CLASSIC_FILES)
    # The same once more, as by a command that was interrupted after it
    put_classic_files(finished.paths.results, folder, force=False)
    for name in CLASSIC_FILES:
        (folder / name).write_text("mine")
        with pytest.raises(OutputError, match="exists already"):
            put_classic_files(finished.paths.results, folder, force=False)
        assert (folder / name).read_text() == "mine"
        put_classic_files(finished.paths.results, folder, force=True)
        assert (folder / name).read_bytes() == (finished.paths.results / name).read_bytes()


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to a file"])
def test_what_is_no_file_is_not_written_through(kind: str, finished: Job, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "merged", tmp_path / "elsewhere"
    folder.mkdir()
    place = folder / CLASSIC_FILES[1]
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(elsewhere)
        if kind == "link to a file":
            elsewhere.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        put_classic_files(finished.paths.results, folder, force=False)
    assert not (folder / CLASSIC_FILES[0]).exists()
    if kind == "folder":
        with pytest.raises(OutputError, match="exists already"):
            put_classic_files(finished.paths.results, folder, force=True)
    else:
        put_classic_files(finished.paths.results, folder, force=True)
        assert not place.is_symlink() and (not elsewhere.exists() or elsewhere.read_text() == "mine")


def test_a_file_where_the_folder_is_to_be(tmp_path: Path) -> None:
    (tmp_path / "merged").touch()
    with pytest.raises(OutputError, match="is not a folder"):
        require_free_layout(tmp_path / "merged", force=True)


@pytest.mark.parametrize("more", [(), ("--resume",)])
def test_files_in_the_way_are_told_before_anything_is_computed(
    more: tuple[str, ...], virnucpro: Virnucpro, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / "short_merged"
    folder.mkdir(parents=True)
    (folder / CLASSIC_FILES[0]).write_text("mine")
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--layout", "broad", *more)
    assert ended.code == 2 and "prediction_results.txt exists already" in ended.err[-1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["short_merged"]
