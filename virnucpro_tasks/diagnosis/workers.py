"""Checks of the workers: those that a job needs, their versions, devices and clocks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from redis.exceptions import RedisError

from virnucpro_tasks.build import DISTRIBUTION, own_build
from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Outcome, Status
from virnucpro_tasks.errors import counted
from virnucpro_tasks.keys import coordinator_queues, gpu_queue
from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.queue.process_facts import ProcessFacts
from virnucpro_tasks.queue.redis_checks import unreachable

MOST_CLOCK_SECONDS = 5.0
CLOCK_ADVICE = "set the clocks of all hosts by NTP: ages of jobs and certificates go by them"
VERSION_ADVICE = "they finish the jobs of their version and take no others: stop them when these are done"
MOST_NAMED = 8


def check_workers(deployment: Deployment) -> Outcome:
    """Whether there are workers for all queues of a job with the bundle of the settings. Raises BundleError and others
    of VirnucproError.
    """
    if deployment.silence:
        return Outcome(deployment.silence, Status.FAILED, "see the finding on Redis")
    found, told = deployment.answers
    digest = locate_bundle(deployment.settings.bundle).digest
    wanted = {gpu_queue(digest, own_build()), *coordinator_queues(own_build())}
    missing = sorted(wanted - {queue for worker in found for queue in worker.queues})
    names = _named([_with_device(worker.name, told.get(worker.name)) for worker in found]) or "no worker answers"
    values = {"workers": [worker.name for worker in found], "missing_queues": missing}
    if missing:
        others = f" of version {version(DISTRIBUTION)} (build {own_build()})" if found else ""
        detail = f"{names}; no worker{others} takes from {', '.join(missing)}"
        return Outcome(detail, Status.FAILED, "start 'virnucpro worker'", values)
    return Outcome(names, values=values)


def _with_device(name: str, facts: ProcessFacts | None) -> str:
    device = facts.device if facts is not None else ""
    return f"{name} ({device}, driver {facts.driver})" if facts is not None and device else name


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def check_versions(deployment: Deployment) -> Outcome:
    """Whether all workers have the build of this command, to which its jobs go. Raises BrokerError."""
    if deployment.silence:
        return Outcome(deployment.silence, Status.WARNING, "see the finding on Redis")
    found, told = deployment.answers
    own = ProcessFacts(version=version(DISTRIBUTION), build=own_build())
    return versions_outcome(own, [worker.name for worker in found], told)


def versions_outcome(own: ProcessFacts, names: Sequence[str], told: Mapping[str, ProcessFacts]) -> Outcome:
    """Whether the workers `names` have the version and build `own`; `told` is what they tell, if they answered.

    Others are no failure: whether a job would find workers of its build `check_workers` says.
    """
    answered = {name: told[name] for name in names if name in told}
    values = {
        "own": own.version,
        "own_build": own.build,
        "workers": {name: facts.version for name, facts in answered.items()},
        "builds": {name: facts.build for name, facts in answered.items()},
    }
    here = f"{own.version} (build {own.build})"
    if not names:
        return Outcome("no worker answers", Status.WARNING, "start 'virnucpro worker'", values)
    others = [
        f"{name} has {_version_text(facts)}"
        for name, facts in answered.items()
        if (facts.version, facts.build) != (own.version, own.build)
    ]
    if others:
        return Outcome(f"{here} here, but {_named(others)}", Status.WARNING, VERSION_ADVICE, values)
    silent = [name for name in names if name not in told]
    if silent:
        return Outcome(f"{here} here; {_named(silent)} did not tell", Status.WARNING, "repeat the command", values)
    return Outcome(f"{here} here and in {counted(len(names), 'worker')}", values=values)


def _version_text(facts: ProcessFacts) -> str:
    if facts.build:
        return f"{facts.version} (build {facts.build})"
    return facts.version or "an earlier one, which it does not tell"


def check_clocks(deployment: Deployment) -> Outcome:
    """The differences between the clocks of this host, of Redis and of the workers. Raises BrokerError."""
    if deployment.redis_error is not None:
        return Outcome(deployment.silence, Status.WARNING, "see the finding on Redis")
    try:
        deployment.app.backend.client.ping()  # the first question connects
        before = time.time()
        seconds, microseconds = deployment.app.backend.client.time()
        here = (before + time.time()) / 2 - seconds - microseconds / 1e6
    except RedisError as error:
        raise unreachable(deployment.app, error) from None
    told = {name: facts.clock_seconds for name, facts in deployment.told.items()}
    return clocks_outcome(here, {name: found for name, found in told.items() if found is not None})


def clocks_outcome(here: float, workers: Mapping[str, float]) -> Outcome:
    """Whether clocks agree: seconds that this host and each worker's host are ahead of Redis."""
    clocks = {"this host": here, **workers}
    values = {"host_seconds": round(here, 3), "worker_seconds": {name: round(one, 3) for name, one in workers.items()}}
    wrong = {name: seconds for name, seconds in clocks.items() if abs(seconds) > MOST_CLOCK_SECONDS}
    if wrong:
        texts = [
            f"{name} is {abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'} Redis"
            for name, seconds in wrong.items()
        ]
        return Outcome(_named(texts), Status.WARNING, CLOCK_ADVICE, values)
    most = max(map(abs, clocks.values()))
    return Outcome(f"{counted(len(clocks), 'clock')} within {max(most, 0.1):.1f} s of that of Redis", values=values)
