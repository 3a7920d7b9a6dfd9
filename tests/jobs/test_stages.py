from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.jobs.stages import stage_is_under_way
from virnucpro_tasks.recovery.events import Began, Event, Failed, HandedBack, append_event

STAGE = "finishing"
BEGAN, ENDED = Began(probe=STAGE, host="a", pid=1), HandedBack(probe=STAGE, host="a", pid=1)
LATER = Began(probe=STAGE, host="b", pid=1)


@pytest.mark.parametrize(
    ("events", "is_under_way"),
    [
        ([], False),
        ([BEGAN], True),
        ([BEGAN, ENDED], False),
        ([BEGAN, Failed(probe=STAGE, host="a", pid=1, reason="killed")], False),
        # The first worker was lost
        ([BEGAN, LATER], True),
        ([BEGAN, LATER, ENDED], True),
        ([BEGAN, LATER, HandedBack(probe=STAGE, host="b", pid=1)], False),
    ],
)
def test_a_stage_is_under_way_between_its_beginning_and_its_end(
    events: list[Event], is_under_way: bool, tmp_path: Path
) -> None:
    for event in events:
        append_event(tmp_path / "stage.jsonl", event)
    assert stage_is_under_way(tmp_path / "stage.jsonl") == is_under_way


@pytest.mark.parametrize("harm", [b"\0\0\0", b"{", b"[1]\n", b'{"event": "began", "host": 1, "pid": 2}\n', b"\xff"])
def test_lines_that_cannot_be_read_are_left_out(harm: bytes, tmp_path: Path) -> None:
    file = tmp_path / "stage.jsonl"
    append_event(file, BEGAN)
    with file.open("ab") as handle:
        handle.write(harm)
    assert stage_is_under_way(file)
