"""A drill that cannot fail would prove nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from virnucpro_tasks.chaos.report import Drill, Outcome, compare

ROWS = "record_id\tcall\none\tvirus\ntwo\tothers\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "ours", tmp_path / "quiet"
    for number, folder in enumerate(made):
        folder.mkdir()
        (folder / "records.tsv").write_text(ROWS)
        (folder / "virnucpro.log").write_text(f"took {number} s")
        (folder / "run.json").write_text(json.dumps({"exit_code": 0, "times": {"seconds": number}}))
    return made


def test_times_alone_are_no_difference(folders: tuple[Path, Path]) -> None:
    assert compare("job", *folders) == Outcome("job", 0, 0, ())


@pytest.mark.parametrize(
    ("rows", "lost", "doubled"),
    [
        (ROWS.replace("two\tothers\n", ""), 1, 0),
        (ROWS + "two\tothers\n", 0, 1),
        (ROWS.replace("two", "three"), 1, 1),
        (ROWS.replace("others", "virus"), 0, 0),
    ],
)
def test_a_lost_a_doubled_and_a_changed_record_are_seen(
    folders: tuple[Path, Path], rows: str, lost: int, doubled: int
) -> None:
    (folders[0] / "records.tsv").write_text(rows)
    outcome = compare("job", *folders)
    assert outcome == Outcome("job", lost, doubled, ("records.tsv",))
    assert not outcome.same


def test_a_missing_file_one_too_many_and_another_report_are_seen(folders: tuple[Path, Path]) -> None:
    (folders[0] / "more.tsv").touch()
    (folders[1] / "chunks.tsv").touch()
    (folders[0] / "run.json").write_text(json.dumps({"exit_code": 6, "times": {}}))
    assert compare("job", *folders).differing == ("chunks.tsv", "more.tsv", "run.json")


def test_a_job_of_two_builds_is_not_the_same(folders: tuple[Path, Path]) -> None:
    for folder, builds in zip(folders, (["a", "b"], ["a"]), strict=True):
        workers = [{"build": build} for build in builds]
        (folder / "run.json").write_text(json.dumps({"build": "a", "times": {"workers": workers}}))
    outcome = compare("job", *folders)
    assert outcome.differing == () and not outcome.same
    assert outcome.message == "workers of another build have computed a part of it: b"


def test_one_job_that_differs_or_failed_or_none_at_all_is_no_success() -> None:
    good, failed = Outcome("a", 0, 0, ()), Outcome("b", 0, 0, (), "failed: why")
    drill = Drill(1, 2, 5.0, Counter(kill_child=3), {"kill_child": [1.0, 2.0, 6.0]}, [good])
    assert drill.same
    kind = drill.as_dict()["kinds"]["kill_child"]
    assert kind == {"count": 3, "median_s": 2.0, "longest_s": 6.0}
    drill.outcomes.append(failed)
    assert not drill.same
    assert "job b: failed: why" in drill.table()
    assert not Drill(1, 2, 5.0).same
