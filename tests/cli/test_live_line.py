"""The redrawn line, on a real pseudo-terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest
from cli.terminal import lines_shown, run_on_terminal

from virnucpro_tasks.cli.live_line import CLEAR_REST, CLEAR_ROW

SHOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, "tests")
from cli.snapshots import TOKENS, split, unsplit
from virnucpro_tasks.cli.progress import progress_display
from virnucpro_tasks.jobs.progress import JobState
with progress_display() as show:
    show(unsplit(JobState.QUEUED))
    show(unsplit(JobState.SPLITTING, shards_done=3))
    show(split(JobState.EMBEDDING, shards_done=4, tokens_done=123_456))
    time.sleep(0.01)
    show(split(JobState.EMBEDDING, shards_done=13, tokens_done=523_456))
    show(split(JobState.FINISHING, shards_done=31, tokens_done=TOKENS))
    show(split(JobState.DONE, shards_done=31, tokens_done=TOKENS))
print("the message", file=sys.stderr)
"""


@cache
def shown_at(columns: int) -> str:
    """What SHOW writes on a terminal of `columns` columns."""
    return run_on_terminal(SHOW, columns=columns)


def facts_shown(written: str) -> list[str]:
    """The lines without their bars, each fact once."""
    texts: list[str] = []
    for line in lines_shown(written):
        text = " ".join(line.translate(dict.fromkeys(map(ord, "━╸╺"))).split())
        if not texts or texts[-1] != text:
            texts.append(text)
    return texts


@pytest.mark.parametrize(
    ("columns", "total", "finishing"),
    [(40, "", ""), (80, "", ", scoring, writing results"), (200, " of 1,234,567 tokens", ", scoring, writing results")],
)
def test_one_line_is_redrawn_whatever_the_width(columns: int, total: str, finishing: str) -> None:
    written = shown_at(columns)
    shown = facts_shown(written)
    everything = " of 1,234,567 tokens" if columns > 40 else ""
    assert [line for line in shown if not line.startswith("embedding")] == [
        "queued",
        "splitting 3 shards embedded so far",
        f"finishing 100%{total}, 31/31 shards{finishing}",
        f"done 100%{everything}, 31/31 shards",
        "the message",
    ]
    assert any(line.startswith(f"embedding 10%{everything}, 4/31 shards") for line in shown)
    assert all(len(line) < columns for line in lines_shown(written))
    # The cursor leaves the line twice: after the last snapshot, and after the message.
    assert written.count("\n") == 2
    assert written.count("━") > 0 or columns < 80


@pytest.mark.parametrize("columns", [10, 15, 20, 25, 30])
def test_no_word_is_cut_on_a_narrow_terminal(columns: int) -> None:
    words = {word for line in facts_shown(shown_at(200)) for word in line.split()}
    shown = {word for line in facts_shown(shown_at(columns)) for word in line.split()}
    assert {word.rstrip(",") for word in shown} <= {word.rstrip(",") for word in words}


@pytest.mark.parametrize("columns", ["1", "9"])
def test_a_variable_that_leaves_no_room_for_a_line_gives_plain_lines(columns: str) -> None:
    shown = lines_shown(run_on_terminal(SHOW, columns=80, COLUMNS=columns))
    assert shown[0] == "queued"


def test_a_variable_counts_as_far_as_the_window_is_as_wide() -> None:
    narrow, unknown = (run_on_terminal(SHOW, columns=80, COLUMNS=wished) for wished in ("60", "0"))
    assert max(map(len, lines_shown(narrow))) < 60 < max(map(len, lines_shown(unknown))) < 80


def test_a_terminal_without_a_name_gets_plain_lines() -> None:
    written = run_on_terminal(SHOW, columns=80, TERM="", FORCE_COLOR="1")
    assert "\x1b" not in written
    assert lines_shown(written)[0] == "queued"


def test_colours_that_are_asked_for_make_no_terminal_of_a_file() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, check=True, text=True, env=os.environ | {"FORCE_COLOR": "1"}
    )
    assert "\x1b" not in ended.stderr and len(ended.stderr.splitlines()) == 6


MESSAGES = SHOW.replace("    time.sleep(0.01)", "    say('warning: ' + 'long ' * 30)").replace(
    "import sys, time", "import sys\nfrom virnucpro_tasks.cli.messages import say"
)


def test_messages_are_printed_above_the_line_which_is_drawn_again() -> None:
    written = run_on_terminal(MESSAGES, columns=80)
    before, message, after = written.partition("warning: ")
    # The row was cleared before, and the same state is drawn again below.
    assert before.endswith(f"\r{CLEAR_ROW} {CLEAR_REST}\r")
    assert lines_shown(before)[-1].startswith("embedding")
    first, second, third, *_ = lines_shown(message + after)
    assert f"{first} {second}" == "warning: " + "long " * 29 + "long"
    assert third == lines_shown(before)[-1]


RESIZED = """
import fcntl, struct, sys, termios
sys.path.insert(0, "tests")
from cli.snapshots import TOKENS, split
from virnucpro_tasks.cli.progress import progress_display
from virnucpro_tasks.jobs.progress import JobState
with progress_display() as show:
    for columns in (80, 40, 20, 5, 200):
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        show(split(JobState.EMBEDDING, shards_done=4, tokens_done=123_456))
"""


def test_the_line_fits_the_window_after_each_change_of_its_width() -> None:
    shown = lines_shown(run_on_terminal(RESIZED, columns=80))
    assert all(len(line) < columns for line, columns in zip(shown, (80, 40, 20, 5, 200), strict=True))
    assert [line.split()[-1] for line in shown] == ["shards", "shards", "10%", "embe", "shards"]


def test_what_has_not_changed_is_not_written_again() -> None:
    again = SHOW.replace("    show(split(JobState.DONE", "    for _ in range(50): show(split(JobState.DONE")
    assert run_on_terminal(again, columns=80).count(CLEAR_ROW) <= 8


def test_a_bar_says_nothing_about_the_share_while_it_is_unknown() -> None:
    shown = lines_shown(run_on_terminal(SHOW, columns=80, NO_COLOR="1"))
    assert not any("%" in line or "left" in line for line in shown if line.startswith(("queued", "splitting")))
    assert next(line for line in shown if line.startswith("embedding")).count("━") == pytest.approx(3, abs=1)


def test_without_colour_the_line_is_redrawn_all_the_same() -> None:
    written = run_on_terminal(SHOW, columns=80, NO_COLOR="1")
    assert "\x1b[3" not in written
    assert facts_shown(written)[-1] == "the message"


def test_a_dumb_terminal_gets_plain_lines() -> None:
    written = run_on_terminal(SHOW, columns=80, TERM="dumb", FORCE_COLOR="1")
    assert "\x1b" not in written
    assert lines_shown(written) == [
        "queued",
        "splitting, 3 shards embedded so far",
        "embedding: 10% of 1,234,567 tokens, 4/31 shards",
        "finishing: 100% of 1,234,567 tokens, 31/31 shards, scoring, writing results",
        "done: 100% of 1,234,567 tokens, 31/31 shards",
        "the message",
    ]


def test_an_encoding_without_box_characters_is_served() -> None:
    written = run_on_terminal(SHOW, columns=80, PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert written.isascii()
    assert "done" in written


def test_an_error_ends_the_line_and_gives_the_cursor_back() -> None:
    code = (
        SHOW.split("    show(split(JobState.FINISHING")[0]
        + "    sys.exit('virnucpro: error: the workers have stopped')"
    )
    code = f"import os\ntry:\n    exec({code!r})\nexcept SystemExit as error:\n    print(error, file=sys.stderr)"
    written = run_on_terminal(code, columns=80)
    assert lines_shown(written)[-1] == "virnucpro: error: the workers have stopped"
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
