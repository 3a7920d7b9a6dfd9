from __future__ import annotations

import threading
import urllib.error
import urllib.request

import pytest
from monitoring.looks import look, troubled

from virnucpro_tasks.monitoring.look import Look
from virnucpro_tasks.monitoring.serve import LastLook, keep_looking, serving


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_the_page_are_of_the_last_look_and_nothing_else_is_served() -> None:
    last = LastLook()
    with serving(last, address="127.0.0.1", port=0, every_seconds=5) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        assert fetch(f"{url}/metrics") == (200, "")
        assert "first look" in fetch(url)[1]
        last.keep(look())
        status, text = fetch(f"{url}/metrics")
        assert status == 200
        assert 'virnucpro_jobs{state="done"} 3.0' in text
        last.keep(troubled())
        status, text = fetch(url)
        assert status == 200
        assert "held\\x1b[2J&lt;b&gt;up&lt;/b&gt;" in text
        assert "the store fails: no space" in text
        assert fetch(f"{url}/../etc/passwd")[0] == fetch(f"{url}/x")[0] == 404


def test_a_look_that_fails_is_told_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    last, stopping, tries = LastLook(), threading.Event(), []

    def fail_once() -> Look:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the mount is stuck")
        stopping.set()
        return look()

    keep_looking(fail_once, last, stopping, every_seconds=0)
    assert last.look == look()
    assert "the mount is stuck" in caplog.text
