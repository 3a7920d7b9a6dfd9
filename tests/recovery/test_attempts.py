from __future__ import annotations

import os
import socket
from pathlib import Path

from virnucpro_tasks.recovery.attempts import History, open_attempt, read_attempts, record


def test_lines_come_back_in_order_and_a_cut_off_one_counts_as_an_attempt(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    assert read_attempts(file) == []
    record(file, "whole", parent=7)
    with file.open("a") as handle:
        handle.write('{"step": "who')
    record(file, "whole", failed="MemoryError")
    first, cut, last = read_attempts(file)
    assert (first["parent"], cut, last["failed"]) == (7, {}, "MemoryError")
    history = History.of([first, cut, last])
    assert history.tries["whole"] == 2
    assert history.verdict("whole") == "2 attempts: MemoryError"


def test_a_line_that_was_changed_says_nothing_and_an_older_one_without_a_check_is_read(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    record(file, "rest", failed="NaN", culprits=[3])
    whole = file.read_bytes()
    sound = read_attempts(file)
    for place in range(len(whole)):
        for bit in range(8):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            # A bit in the name of the check itself makes another field of it, and harms nothing.
            for entry in read_attempts(file):
                assert {name: entry[name] for name in entry if name in sound[0]} in (sound[0], {})
    file.write_text('{"step": "rest", "failed": "NaN", "culprits": [4]}\n')
    assert History.of(read_attempts(file)).culprits == {4: "NaN"}


def test_an_attempt_that_was_handed_back_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    record(file, "0-4")
    record(file, "0-4", handed_back=True)
    assert History.of(read_attempts(file)).tries["0-4"] == 0


def test_the_open_attempt_of_a_parent_is_the_one_without_an_end(tmp_path: Path) -> None:
    file = tmp_path / "000000.jsonl"
    host = socket.gethostname()
    record(file, "whole", parent=1)
    assert open_attempt(read_attempts(file), host=host, parent=2) is None
    found = open_attempt(read_attempts(file), host=host, parent=1)
    assert found is not None and found["pid"] == os.getpid()
    record(file, "whole", failed="broken")
    assert open_attempt(read_attempts(file), host=host, parent=1) is None
