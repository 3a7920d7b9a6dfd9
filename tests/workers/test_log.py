"""Each line of a worker's log names the worker, and the job and shard that it is about; as text, or as JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from celery.worker.consumer.consumer import CONNECTION_ERROR, CONNECTION_RETRY
from virnucpro_workers.consumer.lease import LEASES_BACK, LEASES_LOST
from virnucpro_workers.log import Subjects, TextFormatter, facts
from virnucpro_workers.outage_lines import OutageFilter

from virnucpro_tasks.queue.arguments import Subject
from virnucpro_tasks.system.log_lines import JsonFormatter

JOB, OTHER = "20261130t225910z-4ziu5pewb3kw2pw5", "20261130t225910z-aaaaaaaaaaaaaaaa"
TASK = "0aa3f6cd-b5b7-47e7-8d27-70f4ffe6defe"
SHARD = Subject(JOB, 3)


def record(message: str, *arguments: object, name: str = "celery.worker", **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.INFO, "", 0, message, arguments, None)
    made.__dict__.update(extra)
    return made


def text(subjects: Subjects, made: logging.LogRecord) -> str:
    """The line without its time."""
    return TextFormatter("embed-gpu0", subjects, use_color=False).format(made).partition(": ")[2]


@pytest.mark.parametrize("args", [f"('{JOB}', 3)", f"shard=3 owner={'a' * 300} job={JOB}"])
def test_the_lines_of_celery_about_a_task_name_job_and_shard(args: str) -> None:
    subjects = Subjects()
    received = record(f"Task x[{TASK}] received", data={"id": TASK, "args": args})
    assert text(subjects, received) == f"INFO/embed-gpu0] job={JOB} shard=3 Task x[{TASK}] received"
    # And later ones that have the id alone
    assert f"job={JOB} shard=3 Hard time limit" in text(subjects, record(f"Hard time limit exceeded for x[{TASK}]"))
    assert text(subjects, record("nothing of a task")) == "INFO/embed-gpu0] nothing of a task"


@pytest.mark.parametrize(
    "args",
    [
        "('../x', 3)",
        "(" * 150,
        "open('x')",
        None,
        3,
        f"('{JOB}', True)",
        "[" * 5_000,
        "shard=1 owner=a job=../x",
        f"shard={9**99} owner=a job={JOB}",
    ],
)
def test_arguments_that_anybody_may_have_sent_do_no_harm(args: object) -> None:
    assert Subjects().of(record("received", data={"id": TASK, "args": args})) is None


def test_a_line_that_names_its_job_is_left_as_it_is_or_gets_the_shard() -> None:
    subjects = Subjects()
    subjects.begin(SHARD)
    assert text(subjects, record("job=%s shard=%d failed", JOB, 3)).endswith(f"] job={JOB} shard=3 failed")
    assert text(subjects, record("job=%s: damaged", JOB)).endswith(f"] job={JOB} shard=3: damaged")
    assert text(subjects, record("job=%s shard=2 is scored", OTHER)).endswith(f"] job={OTHER} shard=2 is scored")
    assert text(subjects, record("slow")).endswith(f"] job={JOB} shard=3 slow")
    subjects.begin(None)
    assert text(subjects, record("slow")).endswith("] slow")


def test_the_death_of_a_process_is_about_what_it_was_at() -> None:
    subjects = Subjects(lambda: SHARD)
    assert subjects.of(record("Process exited", name="multiprocessing")) == SHARD
    assert subjects.of(record("Connected", name="celery.worker")) is None
    with subjects.about(SHARD):
        assert subjects.of(record("Task handler raised error: %r", "lost")) == SHARD


def test_a_line_of_json_has_the_same_in_fields() -> None:
    subjects = Subjects()
    formatter = JsonFormatter("embed-gpu0", lambda made: facts(subjects, made))
    made = record("job=%s shard=%d failed:\n%s", JOB, 3, "ä\udce4")
    try:
        raise ValueError("bad")
    except ValueError as error:
        made.exc_info = (ValueError, error, error.__traceback__)
    line = formatter.format(made)
    assert "\n" not in line and line.isascii()
    read = json.loads(line)
    assert (read["process"], read["level"], read["job"], read["shard"]) == ("embed-gpu0", "INFO", JOB, 3)
    assert read["message"].startswith("job=") and "ValueError: bad" in read["exception"]
    assert read["time"].endswith("+00:00")
    assert not {"job", "shard", "exception"} & set(json.loads(formatter.format(record("plain"))))


def passed(outage: OutageFilter, *records: logging.LogRecord) -> list[str]:
    return [made.getMessage() for made in records if outage.filter(made)]


def test_an_outage_is_two_lines() -> None:
    times = iter([0.0, 12.0])
    lost = [
        record("%s (%r)", CONNECTION_RETRY, ConnectionError("reset")),
        record(CONNECTION_ERROR, "redis://", "refused", "Trying again"),
        record(LEASES_LOST, "ConnectionError", "refused"),
        record(CONNECTION_ERROR, "redis://", "refused", "Trying again"),
        record("Redis BRPOP got no reply for 61 seconds; dropping stale connection", name="kombu.transport.redis"),
        record("worker_cancel_long_running_tasks_on_connection_loss is pending", name="py.warnings"),
        record("a shard goes on"),
    ]
    back = [record(LEASES_BACK), record("Connected to %s", "redis://")]
    assert passed(OutageFilter(lambda: next(times)), *lost, *back) == [
        "Redis cannot be reached, and is tried again: reset",
        "a shard goes on",
        "Redis answers again, after 12 s",
    ]


def test_a_worker_that_connects_for_the_first_time_says_so_as_ever() -> None:
    assert passed(OutageFilter(), record("Connected to %s", "redis://a")) == ["Connected to redis://a"]
