from __future__ import annotations

from dataclasses import replace

import pytest
from cli.snapshots import TOKENS, split, unsplit

from virnucpro_tasks.cli.progress import (
    PLAIN_LINE_SECONDS,
    PlainLines,
    Rate,
    RateMeter,
    clock_text,
    describe,
    facts,
    joined,
    progress_display,
)
from virnucpro_tasks.jobs.progress import JobState

RATE = Rate(tokens_per_second=12_345.6, seconds_left=42)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (unsplit(JobState.QUEUED), "queued, 0 shards embedded so far"),
        (unsplit(JobState.SPLITTING, shards_done=3), "splitting, 3 shards embedded so far"),
        (
            split(JobState.EMBEDDING, shards_done=13, tokens_done=523_456),
            "embedding: 42% of 1,234,567 tokens, 13/31 shards, 12,346 tokens/s, 0:42 left",
        ),
        (
            split(JobState.EMBEDDING, shards_done=13, tokens_done=523_456, quarantined=2),
            "embedding: 42% of 1,234,567 tokens, 13/31 shards, 2 quarantined, 12,346 tokens/s, 0:42 left",
        ),
        (
            split(JobState.FINISHING, shards_done=31, tokens_done=TOKENS),
            "finishing: 100% of 1,234,567 tokens, 31/31 shards",
        ),
    ],
)
def test_a_line_holds_all_known_facts(progress, line: str) -> None:
    assert describe(progress, RATE) == line


def test_while_totals_are_unknown_no_share_and_no_time_is_shown() -> None:
    line = describe(unsplit(JobState.SPLITTING, shards_done=3), RATE)
    assert "%" not in line and "left" not in line


def test_an_input_without_tokens_is_complete() -> None:
    empty = replace(split(JobState.FINISHING, shards_done=0, tokens_done=0), tokens_total=0, shards_total=0)
    assert describe(empty) == "finishing: 100% of 0 tokens, 0/0 shards"


def test_the_least_important_facts_go_first_where_there_is_no_room() -> None:
    known = facts(split(JobState.EMBEDDING, shards_done=13, tokens_done=523_456, quarantined=2), RATE)
    shorter = [joined(known, width=width) for width in (100, 70, 50, 35, 30, 15, 3, 2)]
    assert shorter == [
        "42% of 1,234,567 tokens, 13/31 shards, 2 quarantined, 12,346 tokens/s, 0:42 left",
        "42%, 13/31 shards, 2 quarantined, 12,346 tokens/s, 0:42 left",
        "42%, 13/31 shards, 2 quarantined, 0:42 left",
        "42%, 2 quarantined, 0:42 left",
        "42%, 2 quarantined, 0:42 left",
        "42%, 0:42 left",
        "42%",
        "",
    ]


def test_a_share_is_whole_only_when_all_is_done() -> None:
    lines = [describe(split(JobState.EMBEDDING, shards_done=30, tokens_done=done)) for done in (TOKENS - 1, TOKENS)]
    assert [line.split()[1] for line in lines] == ["99%", "100%"]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (42, "0:42"), (3_599.6, "1:00:00"), (7_265, "2:01:05")])
def test_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


def test_the_rate_counts_from_the_first_snapshot_with_totals() -> None:
    clock = Clock()
    meter = RateMeter(clock=clock)
    assert meter.measure(unsplit(JobState.SPLITTING)) is None
    clock.now += 50
    assert meter.measure(split(JobState.EMBEDDING, shards_done=1, tokens_done=34_567)) is None
    clock.now += 100
    assert meter.measure(split(JobState.EMBEDDING, shards_done=1, tokens_done=34_567)) is None
    clock.now += 100
    rate = meter.measure(split(JobState.EMBEDDING, shards_done=6, tokens_done=234_567))
    assert rate == Rate(tokens_per_second=1_000, seconds_left=1_000)


def test_plain_lines_are_printed_for_changes_alone_and_not_too_often(capsys: pytest.CaptureFixture) -> None:
    clock = Clock()
    lines = PlainLines(clock=clock)

    def printed(progress, *, after: float) -> list[str]:
        clock.now += after
        lines.show(progress)
        return capsys.readouterr().err.splitlines()

    first = unsplit(JobState.SPLITTING, shards_done=0)
    assert printed(first, after=0) == ["splitting, 0 shards embedded so far"]
    # Nothing has changed, however long it takes
    assert printed(first, after=10 * PLAIN_LINE_SECONDS) == []
    # A change of counts waits for its time; a change of state does not
    more = unsplit(JobState.SPLITTING, shards_done=2)
    assert printed(more, after=0) == ["splitting, 2 shards embedded so far"]
    assert printed(unsplit(JobState.SPLITTING, shards_done=3), after=PLAIN_LINE_SECONDS / 2) == []
    embedding = split(JobState.EMBEDDING, shards_done=3, tokens_done=100)
    assert printed(embedding, after=0.5) == ["embedding: 0% of 1,234,567 tokens, 3/31 shards"]


def test_a_stream_that_is_no_terminal_gets_plain_lines_without_control_characters(
    capsys: pytest.CaptureFixture,
) -> None:
    with progress_display() as show:
        show(unsplit(JobState.QUEUED))
        show(split(JobState.DONE, shards_done=31, tokens_done=TOKENS))
    assert capsys.readouterr().err == (
        "queued, 0 shards embedded so far\ndone: 100% of 1,234,567 tokens, 31/31 shards\n"
    )


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture) -> None:
    with progress_display(quiet=True) as show:
        show(split(JobState.DONE, shards_done=31, tokens_done=TOKENS))
    assert capsys.readouterr().err == ""
