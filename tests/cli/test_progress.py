from __future__ import annotations

from dataclasses import replace

import pytest
from cli.snapshots import TOKENS, split, unsplit

from virnucpro_tasks.cli.progress import (
    PLAIN_LINE_SECONDS,
    PlainLines,
    describe,
    facts,
    joined,
    progress_display,
)
from virnucpro_tasks.jobs.progress import JobState, Wait
from virnucpro_tasks.jobs.rate import Rate

RATE = Rate(tokens_per_second=12_345.6, seconds_left=42)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (unsplit(JobState.QUEUED), "queued"),
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
            "finishing: 100% of 1,234,567 tokens, 31/31 shards, scoring, writing results",
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
    assert describe(empty) == "finishing: 100% of 0 tokens, 0/0 shards, scoring, writing results"


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


def test_a_share_is_whole_only_when_finishing_has_begun() -> None:
    lines = [
        describe(split(state, shards_done=30, tokens_done=done))
        for state, done in [
            (JobState.EMBEDDING, TOKENS - 1),
            (JobState.EMBEDDING, TOKENS),
            (JobState.FINISHING, TOKENS - 1),
            (JobState.FINISHING, TOKENS),
        ]
    ]
    assert [line.split()[1] for line in lines] == ["99%", "99%", "99%", "100%"]


def test_what_a_job_waits_for_and_the_time_since_the_command_began_are_told() -> None:
    queued, embedding = unsplit(JobState.QUEUED), split(JobState.EMBEDDING, shards_done=0, tokens_done=0)
    assert describe(queued, wait=Wait("no coordinator is running"), elapsed_seconds=75) == (
        "queued, no coordinator is running, 1:15 elapsed"
    )
    assert describe(embedding, wait=Wait("loading models", 312.0), elapsed_seconds=10) == (
        "embedding: 0% of 1,234,567 tokens, 0/31 shards, loading models for 5:12, 0:10 elapsed"
    )
    # A wait that began with the command has no time of its own.
    assert describe(queued, wait=Wait("starting the workers", 3.0), elapsed_seconds=4) == (
        "queued, starting the workers, 0:04 elapsed"
    )


def test_plain_lines_are_printed_for_changes_alone_and_not_too_often(capsys: pytest.CaptureFixture) -> None:
    clock = Clock()
    lines = PlainLines(clock=clock)

    def printed(progress, *, after: float, wait: Wait | None = None) -> list[str]:
        clock.now += after
        lines.show(progress, wait)
        return capsys.readouterr().err.splitlines()

    first = unsplit(JobState.SPLITTING, shards_done=0)
    assert printed(first, after=0) == ["splitting"]
    # Nothing has changed, however long it takes
    assert printed(first, after=10 * PLAIN_LINE_SECONDS) == []
    # What it waits for is told with the next line, once, and not again as it gets longer
    assert printed(first, after=PLAIN_LINE_SECONDS, wait=Wait("loading models", 40)) == [
        "splitting, loading models for 0:40, 5:30 elapsed"
    ]
    assert printed(first, after=PLAIN_LINE_SECONDS, wait=Wait("loading models", 70)) == []
    # A change of counts waits for its time; a change of state does not
    more = unsplit(JobState.SPLITTING, shards_done=2)
    assert printed(more, after=0) == ["splitting, 2 shards embedded so far, 6:00 elapsed"]
    assert printed(unsplit(JobState.SPLITTING, shards_done=3), after=PLAIN_LINE_SECONDS / 2) == []
    embedding = split(JobState.EMBEDDING, shards_done=3, tokens_done=100)
    assert printed(embedding, after=0.5) == ["embedding: 0% of 1,234,567 tokens, 3/31 shards, 6:16 elapsed"]


def test_a_stream_that_is_no_terminal_gets_plain_lines_without_control_characters(
    capsys: pytest.CaptureFixture,
) -> None:
    with progress_display() as show:
        show(unsplit(JobState.QUEUED))
        show(split(JobState.DONE, shards_done=31, tokens_done=TOKENS))
    assert capsys.readouterr().err == ("queued\ndone: 100% of 1,234,567 tokens, 31/31 shards\n")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture) -> None:
    with progress_display(quiet=True) as show:
        show(split(JobState.DONE, shards_done=31, tokens_done=TOKENS))
    assert capsys.readouterr().err == ""
