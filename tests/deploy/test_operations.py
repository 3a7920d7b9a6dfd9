"""docs/operations.md tells what the code does: settings, defaults, Celery's values and their names."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from virnucpro_workers.__main__ import STOP_GRACE_SECONDS
from virnucpro_workers.consumer.follow import SWEEP_SECONDS
from virnucpro_workers.consumer.install import QUEUE_ORDER
from virnucpro_workers.consumer.lease import RENEWALS_PER_LEASE, poll_seconds
from virnucpro_workers.supervisor import STOP_SIGNALS, Policy

from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.keys import (
    COORDINATOR_QUEUES,
    CPU_QUEUE,
    LEASES,
    LIVE_QUEUES,
    PRIORITY_SEPARATOR,
    PRIORITY_STEPS,
    queue_of_build,
    waiting_gauge,
)
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.queue import app as app_module
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
WORDS = " ".join(PAGE.split())
DESCRIBED_IN_WORDS = {"task_annotations", "broker_transport_options", "task_publish_retry_policy"}


def table(first_column: str, second_column: str) -> dict[str, str]:
    """The first two columns of the table with this head."""
    body = PAGE.split(f"| {first_column} | {second_column} |", 1)[1].split("\n\n", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines()[2:]]
    return {row[0].strip("` "): row[1].strip("`") for row in rows}


def configured() -> list[str]:
    """Names of the settings that `make_app` gives Celery."""
    tree = ast.parse(Path(app_module.__file__).read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "app.conf.update"
    ]
    return [str(keyword.arg) for call in calls for keyword in call.keywords]


def test_every_setting_is_described_with_its_default() -> None:
    expected = {
        setting.name: "none" if setting.default is None else str(setting.default) for setting in fields(Settings)
    }
    assert table("setting", "default") == expected


def test_config_show_prints_what_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in fields(Settings):
        monkeypatch.delenv(f"VIRNUCPRO_{setting.name.upper()}", raising=False)
    monkeypatch.delenv("VIRNUCPRO_CONFIG", raising=False)
    shown = CliRunner().invoke(cli, ["config", "show"]).output
    printed = dict(re.findall(r"^(\w+) = (.*)$", shown, re.MULTILINE))
    assert printed == {name: "" if value == "none" else value for name, value in table("setting", "default").items()}


def test_every_value_given_to_celery_is_described() -> None:
    conf = make_app(Settings()).conf
    described = table("setting", "value")
    assert sorted(described) == sorted(configured())
    for name in set(described) - DESCRIBED_IN_WORDS:
        value: Any = conf[name]
        text = f"{value.days} days" if isinstance(value, timedelta) and value.days else str(value)
        assert described[name] == text, name


def test_every_transport_option_is_described() -> None:
    options = make_app(Settings()).conf.broker_transport_options
    assert table("transport option", "value") == {name: str(value) for name, value in options.items()}
    assert f"`{QUEUE_ORDER}`" in WORDS


def test_signals_and_times_are_those_of_the_supervisor() -> None:
    for number in STOP_SIGNALS:
        assert number.name in PAGE
    assert f"SIGKILL after {STOP_GRACE_SECONDS:.0f} s more" in WORDS
    policy = Policy(stop_seconds=1)
    assert f"after {policy.first_delay_seconds:.0f} s, then" in WORDS
    assert f"up to {policy.longest_delay_seconds:.0f} s" in WORDS
    assert f"for {policy.silent_seconds:.0f} s although it is idle" in WORDS


def test_a_lost_host_is_noticed_as_soon_as_it_says() -> None:
    number = {4: "four"}[RENEWALS_PER_LEASE]
    assert f"renews it {number} times in that time" in WORDS
    lease_seconds = Settings().lease_seconds
    assert f"at most {lease_seconds + poll_seconds(lease_seconds):.0f} s with the defaults" in WORDS
    assert f"(`{LEASES}`)" in PAGE


def test_the_gauge_is_the_one_that_is_kept() -> None:
    assert f"redis-cli LLEN {waiting_gauge(demo_bundle().digest, 'BUILD')}\n" in PAGE
    assert f"redis-cli ZRANGE {LIVE_QUEUES} 0 -1" in PAGE
    assert f"every {SWEEP_SECONDS:.0f} s" in WORDS
    for queue in COORDINATOR_QUEUES[1:]:
        assert f"at most {queue.most_input_bytes // 1_000_000} MB" in WORDS


def test_the_lists_of_a_queue_are_those_that_messages_go_to() -> None:
    loop = re.search(r"for suffix in (.+); do redis-cli LLEN \"(.+)\$suffix\"", PAGE)
    assert loop and loop[2] == queue_of_build(CPU_QUEUE, "BUILD")
    suffixes = [word.strip("$'").encode().decode("unicode_escape") for word in loop[1].split()]
    channel = make_app(Settings()).connection_for_read().transport.Channel
    assert channel.sep == PRIORITY_SEPARATOR
    assert suffixes == ["" if step == 0 else f"{channel.sep}{step}" for step in PRIORITY_STEPS]
