from __future__ import annotations

import pytest

from virnucpro_tasks.cli.pull_display import LINE_SECONDS, Display, Transfer
from virnucpro_tasks.models.manifest import PublishedFile

FILE = PublishedFile(name="esm2_t36_3B_UR50D.pt", url="https://example.org/x", bytes=5_678_116_398)


def moving() -> Transfer:
    """A fourth of the file is there; it comes at 100 MB/s."""
    transfer = Transfer("esm2-3b/esm2_t36_3B_UR50D.pt", FILE.bytes)
    for second in range(15):
        transfer.move(second * 100_000_000, None, now=float(second))
    return transfer


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (200, "esm2-3b/esm2_t36_3B_UR50D.pt   25 %  1,400.0 of 5,678.1 MB  100.0 MB/s  43 s left"),
        (80, "…m2-3b/esm2_t36_3B_UR50D.pt   25 %  1,400.0 of 5,678.1 MB  100.0 MB/s  43 s left"),
        (60, "…2_t36_3B_UR50D.pt   25 %  1,400.0 of 5,678.1 MB  100.0 MB/s"),
        (40, "esm2-3b/esm2_t36_3B_UR50D.pt   25 %"),
        (20, "…_3B_UR50D.pt   25 %"),
        (5, " 25 %"),
        (1, " "),
    ],
)
def test_a_line_of_any_width(columns: int, line: str) -> None:
    shown = moving().line(columns)
    assert len(shown) <= columns
    assert shown == line


def test_the_rate_is_that_of_the_last_seconds() -> None:
    transfer = moving()
    assert transfer.bytes_per_second == pytest.approx(100e6)
    for second in range(15, 30):
        transfer.move(1_400_000_000, None, now=float(second))
    assert transfer.bytes_per_second == pytest.approx(0)
    assert "left" not in transfer.line(200)


def test_bytes_that_were_there_before_do_not_count_for_the_rate() -> None:
    transfer = Transfer("x", FILE.bytes)
    transfer.move(5_000_000_000, FILE.bytes, now=0.0)
    assert transfer.bytes_per_second == 0
    transfer.move(5_001_000_000, FILE.bytes, now=1.0)
    assert transfer.bytes_per_second == pytest.approx(1e6)


def test_a_start_from_the_beginning_forgets_the_rate() -> None:
    transfer = moving()
    transfer.move(10, None, now=20.0)
    assert transfer.bytes_per_second == 0


@pytest.mark.parametrize(("rest", "words"), [(59, "59 s"), (61, "1 min 01 s"), (3_661, "1 h 01 min")])
def test_the_time_that_is_left(rest: int, words: str) -> None:
    transfer = Transfer("x", 1_000 * (rest + 1))
    transfer.move(0, None, now=0.0)
    transfer.move(1_000, None, now=1.0)
    assert transfer.line(200).endswith(f"{words} left")


def test_without_a_terminal_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("virnucpro_tasks.cli.pull_display.time.monotonic", lambda: now[0])
    monkeypatch.setenv("FORCE_COLOR", "1")
    display = Display()
    with display.shown():
        watcher = display.begin("esm2-3b", FILE)
        for second in range(int(2 * LINE_SECONDS) + 5):
            now[0] = 100.0 + second
            watcher.moved(second * 1_000_000, FILE.bytes)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "esm2-3b/esm2_t36_3B_UR50D.pt: 5,678.1 MB"
    assert len(lines) == 3 and all("1.0 MB/s" in line for line in lines[1:])
    assert "\x1b" not in "".join(lines)
