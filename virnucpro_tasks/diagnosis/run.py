"""Runs all checks: none ends another, none lasts for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from virnucpro_tasks.diagnosis import installation, redis, store, worker_hosts, workers
from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Finding, Outcome, Status
from virnucpro_tasks.errors import VirnucproError, printable
from virnucpro_tasks.system.file_errors import cause_of

MOST_SECONDS = 30.0
"""Time for a check, after which the store or Redis counts as hanging."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check. A deployed job runs only if those pass that are `needed`; one that `may_take_long` has no limit."""

    run: Callable[[Deployment], Outcome]
    needed: bool = True
    may_take_long: bool = False


CHECKS: dict[str, Check] = {
    "packages": Check(installation.check_packages),
    "names": Check(installation.check_names, needed=False),
    "host": Check(installation.check_host),
    "GPUs": Check(installation.check_gpus, needed=False),
    "store": Check(store.check_store),
    "rights in the store": Check(store.check_rights),
    "file system of the store": Check(store.check_file_system),
    "latency of the store": Check(store.check_latency),
    "bundle": Check(installation.check_bundle, may_take_long=True),
    "embedded server": Check(installation.check_server, needed=False),
    "redis": Check(redis.check_broker),
    "memory of Redis": Check(redis.check_memory),
    "latency of Redis": Check(redis.check_latency),
    "clocks": Check(workers.check_clocks),
    "workers": Check(workers.check_workers),
    "hosts of workers": Check(worker_hosts.check_worker_hosts),
    "versions of workers": Check(workers.check_versions),
}
"""The checks by their names in JSON, in the order in which they are told. Those that are not needed are of what only
'virnucpro predict' or a GPU worker of this host needs, or only whoever types a command."""


def run_check(name: str, check: Check, deployment: Deployment, *, most_seconds: float = MOST_SECONDS) -> Finding:
    """Run one check; whatever it raises, and that it hangs, is its finding."""
    if check.may_take_long:
        return Finding(name, _outcome(check, deployment), check.needed)
    found: list[Outcome] = []
    # A daemon: one that a broken mount never lets go must not keep the command from its end.
    thread = threading.Thread(target=lambda: found.append(_outcome(check, deployment)), name=name, daemon=True)
    thread.start()
    thread.join(most_seconds)
    hanging = Outcome(
        f"no answer within {most_seconds:.0f} s",
        Status.FAILED,
        "is the mount of the store stuck, or Redis stopped? restart what hangs",
    )
    return Finding(name, found[0] if found else hanging, check.needed)


def _outcome(check: Check, deployment: Deployment) -> Outcome:
    try:
        return check.run(deployment)
    except VirnucproError as error:
        return Outcome(printable(error.where + error.what), Status.FAILED, printable(error.hint))
    except OSError as error:
        cause = cause_of(error, deployment.settings.store)
        return Outcome(
            printable(f"{error.filename or deployment.settings.store}: {cause.words}"), Status.FAILED, cause.advice
        )
    except Exception as error:
        # Whatever a driver, Redis or a library raises: the other checks are still worth having.
        return Outcome(
            printable(f"unexpected {type(error).__name__}: {error}"),
            Status.FAILED,
            "please report it with the output of this command",
        )
