from __future__ import annotations

import os
import socket
from pathlib import Path

from virnucpro_tasks.recovery.events import (
    Began,
    Damaged,
    Failed,
    Passed,
    RecordsAtFault,
    append_event,
    open_attempt,
    read_events,
)
from virnucpro_tasks.recovery.history import History


def test_events_come_back_in_order_and_a_truncated_one_counts_as_an_attempt(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    assert read_events(file) == []
    began = Began(probe="whole", parent=7)
    append_event(file, began)
    with file.open("a") as handle:
        handle.write('{"event": "beg')
    failed = Failed(probe="whole", reason="MemoryError \udcff")
    append_event(file, failed)
    first, cut, last = read_events(file)
    assert (first, type(cut), last) == (began, Damaged, failed)
    history = History.of([first, cut, last])
    assert history.tries("whole") == 2
    assert history.verdict("whole") == "2 attempts: MemoryError \udcff"


def test_a_line_that_was_changed_is_damaged_and_one_without_a_check_is_read(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    event = RecordsAtFault(probe="rest", reason="NaN", culprits=(3,))
    append_event(file, event)
    whole = file.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            assert all(found == event or isinstance(found, Damaged) for found in read_events(file))
    file.write_text(
        '{"event": "records-at-fault", "probe": "rest", "at": "", "host": "", "pid": 1, "reason": "NaN",'
        ' "culprits": [4]}\n'
    )
    assert History.of(read_events(file)).culprits == {4: "NaN"}


def test_lines_of_older_versions_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    file.write_text('{"at": "", "host": "", "pid": 1, "step": "whole", "failed": "MemoryError"}\n')
    assert read_events(file) == []


def test_only_what_was_appended_later_is_read(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    end = append_event(file, Began(probe="whole"))
    assert read_events(file, after=end) == []
    append_event(file, Passed(probe="whole"), durable=False)
    assert [type(event) for event in read_events(file, after=end)] == [Passed]


def test_the_open_attempt_of_a_parent_is_the_one_without_an_end(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    host = socket.gethostname()
    append_event(file, Began(probe="whole", parent=1))
    assert open_attempt(read_events(file), host=host, parent=2) is None
    found = open_attempt(read_events(file), host=host, parent=1)
    assert found is not None and found.pid == os.getpid()
    append_event(file, Failed(probe="whole", reason="broken"))
    assert open_attempt(read_events(file), host=host, parent=1) is None


def test_a_process_of_another_host_with_the_same_pid_does_not_end_an_attempt(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    append_event(file, Began(probe="whole", parent=7, host="here", pid=9))
    append_event(file, Failed(probe="whole", reason="an error", host="there", pid=9))
    still_open = open_attempt(read_events(file), host="here", parent=7)
    assert still_open is not None and still_open.pid == 9
    append_event(file, Failed(probe="whole", reason="an error", host="here", pid=9))
    assert open_attempt(read_events(file), host="here", parent=7) is None


def test_a_gap_of_zeros_that_two_hosts_left_is_no_attempt(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    append_event(file, Began(probe="whole", parent=7))
    with file.open("ab") as handle:
        handle.write(bytes(512))
    append_event(file, Passed(probe="whole"))
    assert [type(event) for event in read_events(file)] == [Began, Passed]
