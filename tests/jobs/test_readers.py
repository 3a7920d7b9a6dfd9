from __future__ import annotations

import os
from pathlib import Path

import pytest

from virnucpro_tasks.jobs.readers import readers_of, results_mode


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder beside a store: what lies above both keeps nobody from either."""
    tmp_path.chmod(0o700)
    (tmp_path / "lab").mkdir(mode=0o755)
    return tmp_path / "lab"


def closed(file: Path, *, gid: int | None = None) -> tuple[bool, bool]:
    """Whether `file` is closed to its own group, or that of `gid`, and to others."""
    group = file.stat().st_gid if gid is None else gid
    found = readers_of([file], gid=group, store=file.parent.parent / "store")
    return bool(found.to_group), bool(found.to_others)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o644, (False, False)), (0o640, (False, True)), (0o600, (True, True)), (0o604, (True, False))],
)
def test_the_mode_of_a_file_counts(lab: Path, mode: int, expected: tuple[bool, bool]) -> None:
    file = lab / "reads.fa"
    file.touch()
    file.chmod(mode)
    assert closed(file) == expected
    # For a group that is not that of the file the rights of others hold.
    assert closed(file, gid=file.stat().st_gid + 1) == (expected[1], expected[1])


def test_folders_on_the_way_count_and_so_does_what_a_link_leads_to(lab: Path) -> None:
    (lab / "home").mkdir(mode=0o700)
    file = lab / "home" / "reads.fa"
    file.touch(mode=0o644)
    link = lab / "link.fa"
    link.symlink_to(file)
    for source in (file, link):
        found = readers_of([source], gid=os.getegid(), store=lab.parent / "store")
        assert found.to_others[0].by == lab / "home" and found.to_group
    # A store in the same folder is as closed.
    assert readers_of([file], gid=os.getegid(), store=lab / "home" / "store").to_others == ()


def test_what_has_no_mode_of_its_own_is_closed_to_nobody(lab: Path) -> None:
    ends = os.pipe()
    circle = lab / "circle"
    circle.symlink_to(circle)
    try:
        sources = [Path(f"/dev/fd/{ends[0]}"), Path("/dev/null"), lab / "absent", circle]
        found = readers_of(sources, gid=os.getegid(), store=lab.parent / "store")
    finally:
        for end in ends:
            os.close(end)
    assert found.to_others == found.to_group == ()


def test_a_new_folder_of_results_is_closed_unless_all_inputs_are_open(lab: Path) -> None:
    public, private = lab / "public.fa", lab / "private.fa"
    for file, mode in ((public, 0o644), (private, 0o640)):
        file.touch()
        file.chmod(mode)
    assert results_mode([public], lab / "out") == 0o777
    assert results_mode([public, private], lab / "out") == 0o700


def test_a_fifo_with_a_name_and_a_folder_are_closed_as_their_mode_says(lab: Path) -> None:
    fifo, folder = lab / "fifo", lab / "old"
    os.mkfifo(fifo, 0o600)
    folder.mkdir()
    folder.chmod(0o711)
    assert closed(fifo) == closed(folder) == (True, True)
