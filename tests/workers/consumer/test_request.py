from __future__ import annotations

import pytest
from virnucpro_workers.consumer.request import TIME_LIMIT, death


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("Worker exited prematurely: signal 9 (SIGKILL) Job: 3.", "its worker was killed by SIGKILL"),
        ("Worker exited prematurely: signal 14 (SIGALRM) Job: 3.", "no result within 60 s"),
        ("Worker exited prematurely: exitcode 7 Job: 3.", "its worker ended with status 7"),
        (TIME_LIMIT, "no result within 60 s"),
        ("", "its worker died"),
    ],
)
def test_what_billiard_says_becomes_a_reason(how: str, reason: str) -> None:
    assert death(how, 60.0) == reason
