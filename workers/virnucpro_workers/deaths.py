"""When a worker that has died is started again, and when its supervisor gives up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """When a dead or silent worker is started again, and when a stopping one is killed.

    A dead worker is started again after `first_delay_seconds`, doubled at each further death up to
    `longest_delay_seconds`; after a life of `healthy_seconds` the delay is the first one again. Stopping workers have
    `stop_seconds` before SIGKILL. A consuming worker whose heartbeat is older than `silent_seconds` is killed and
    started again.

    A worker is given up after `most_loading_deaths` deaths in a row before it was ready, `most_idle_deaths` while it
    had no task, or `most_deaths` in all, without a finished task or `healthy_seconds` of being ready between; None:
    never.
    """

    stop_seconds: float
    first_delay_seconds: float = 1.0
    longest_delay_seconds: float = 60.0
    healthy_seconds: float = 60.0
    silent_seconds: float = 300.0
    most_loading_deaths: int | None = None
    most_idle_deaths: int | None = None
    most_deaths: int | None = None

    def delay_seconds(self, deaths: int) -> float:
        """Return the delay after this many deaths in a row (1 or more)."""
        return min(self.longest_delay_seconds, self.first_delay_seconds * 2.0 ** min(deaths - 1, 30))


def one_shot_policy(*, stop_seconds: float) -> Policy:
    """Return the policy for a run that somebody waits for.

    Records that kill their computing process are isolated without the death of a worker. Those that kill the whole
    worker are isolated too, over several runs of the command, because the attempts are on disk.
    """
    return Policy(
        stop_seconds=stop_seconds, longest_delay_seconds=10.0, most_loading_deaths=3, most_idle_deaths=6, most_deaths=12
    )


@dataclass(slots=True)
class Deaths:
    """The deaths of one worker in a row."""

    in_a_row: int = 0
    """Those of the whole worker, for the delay."""

    before_ready: int = 0
    idle: int = 0
    """Those while it had no task, before or after it was ready."""

    without_work: int = 0
    """All since it has finished a task, or been ready for long."""

    def ready(self) -> None:
        """Count that the worker has loaded what it needs."""
        self.before_ready = 0

    def worked(self) -> None:
        """Count that it has finished a task."""
        self.idle = self.without_work = 0

    def died(self, *, lived_seconds: float, ready_seconds: float | None, is_working: bool, policy: Policy) -> None:
        """Count a death; `ready_seconds` is None if it came before the worker was ready."""
        self.in_a_row = 1 if lived_seconds >= policy.healthy_seconds else self.in_a_row + 1
        if ready_seconds is not None and ready_seconds >= policy.healthy_seconds:
            self.idle = self.without_work = 0
        self.before_ready = self.before_ready + 1 if ready_seconds is None else 0
        self.idle += not is_working
        self.without_work += 1

    def reason_to_give_up(self, policy: Policy) -> str:
        """Return why the worker is given up, "" if it is not."""
        if policy.most_loading_deaths is not None and self.before_ready >= policy.most_loading_deaths:
            return f"{self.before_ready} times in a row before it was ready"
        if policy.most_idle_deaths is not None and self.idle >= policy.most_idle_deaths:
            return f"{self.idle} times in a row while it had nothing to compute"
        if policy.most_deaths is not None and self.without_work >= policy.most_deaths:
            return f"{self.without_work} times in a row without having finished a task"
        return ""
