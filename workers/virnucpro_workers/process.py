"""One Celery worker process: a consumer that never touches a device, and one pool child that computes.

    python -m virnucpro_workers.process --role embed --device gpu0

The settings come from VIRNUCPRO_* variables, the device from CUDA_VISIBLE_DEVICES; both are set by the launcher
before exec.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

import billiard
from celery.signals import worker_process_init

from virnucpro_tasks.errors import VirnucproError
from virnucpro_tasks.keys import CPU_QUEUE, SMALL_QUEUE, gpu_queue
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.processes import die_with_parent
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings, load_settings
from virnucpro_workers.consumer.follow import WAITING_SECONDS, CountWaiting, FollowJobQueues
from virnucpro_workers.consumer.install import install
from virnucpro_workers.consumer.watchdog import Watchdog
from virnucpro_workers.health import HeartbeatStep, Phase, heartbeat_file, write_heartbeat
from virnucpro_workers.loading import LoadingState

LOADING_SECONDS = 1800.0
"""Celery kills a pool child that is not up after this: several times what a 3B model takes from a slow disk."""


class Role(StrEnum):
    """What a worker process does."""

    EMBED = "embed"
    COORDINATE = "coordinate"
    COORDINATE_SMALL = "coordinate-small"


def queues_of(role: Role, settings: Settings) -> tuple[str, ...]:
    """The queues a role starts with. An embedding worker's belongs to its bundle; raises BundleError."""
    if role is Role.EMBED:
        return (gpu_queue(find_bundle(settings.bundle).digest),)
    return (SMALL_QUEUE,) if role is Role.COORDINATE_SMALL else (CPU_QUEUE, SMALL_QUEUE)


def queue_step(role: Role, queues: tuple[str, ...], loading: LoadingState) -> type:
    """The part of the consumer that deals with the queues of jobs."""
    if role is not Role.EMBED:
        return CountWaiting
    return type("Follow", (FollowJobQueues,), {"bundle_queue": queues[0], "loading": loading})


def transport_options(role: Role) -> dict[str, float]:
    """kombu's options for a role, besides those of every application."""
    return {"polling_interval": WAITING_SECONDS} if role is Role.EMBED else {}


def process_name(role: Role, device: str) -> str:
    """`embed-gpu0`, `coordinate-0`: the first half of a node name, and the heartbeat file's name."""
    return f"{role}-{device}"


def celery_arguments(*, queues: tuple[str, ...], node: str, log_level: str) -> list[str]:
    """The worker's command line. Prefork with one child: only that pool keeps its heartbeat while computing,
    has time limits, requeues on SIGQUIT and reports a dead child at once."""
    return [
        "worker",
        "--pool=prefork",
        "--concurrency=1",
        f"--queues={','.join(queues)}",
        f"--hostname={node}",
        f"--loglevel={log_level}",
        "--without-gossip",
        "--without-mingle",
        "--task-events",
    ]


def run_worker(role: Role, device: str, host: str, run_dir: Path | None) -> int:
    """Consume until told to stop; returns the exit code. Raises VirnucproError for what no restart can mend."""
    settings = load_settings()
    app = make_app(settings)
    queues = queues_of(role, settings)
    name = process_name(role, device)
    # Not before load_settings: it refuses VIRNUCPRO_ variables that are not settings.
    os.environ["VIRNUCPRO_WORKER_DEVICE"] = device
    # Celery's default of 4 s would kill a child that is loading models.
    app.conf.worker_proc_alive_timeout = LOADING_SECONDS
    # A new child would load the models again: minutes of a GPU.
    app.conf.worker_max_tasks_per_child = None
    app.conf.worker_max_memory_per_child = None
    if run_dir is not None:
        file = heartbeat_file(run_dir, name)
        write_heartbeat(file, Phase.STARTING)
        app.steps["consumer"].add(type("Heartbeat", (HeartbeatStep,), {"file": file}))
    loading = LoadingState()
    app.steps["consumer"].add(queue_step(role, queues, loading))
    install(app, transport_options=transport_options(role))
    if role is Role.COORDINATE:
        app.steps["consumer"].add(Watchdog)
    parent_pid = os.getpid()

    def start_child(**_: Any) -> None:
        # A child busy on a device would otherwise hold it after its parent was killed.
        die_with_parent(parent_pid)()
        allow_children()
        if role is Role.EMBED:
            loading.run(lambda: load_models(settings), name=name)

    worker_process_init.connect(start_child, weak=False)
    try:
        app.worker_main(celery_arguments(queues=queues, node=f"{name}@{host}", log_level=settings.log_level))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        return loading.exit_code or code
    return loading.exit_code or 0


def allow_children() -> None:
    """Let this pool child start processes. The pool marks its children as daemons, which must have none that could be
    left behind; those of `ordered_process_map` end with it."""
    billiard.current_process().daemon = False


def load_models(settings: Settings) -> None:
    """Load the models onto this process's device; the only place where a worker touches torch or CUDA."""
    from virnucpro_tasks.pipeline.embed_shard import prepare_engine

    prepare_engine(settings)


def main(arguments: list[str] | None = None) -> int:
    """Parse the flags and run one worker."""
    parser = argparse.ArgumentParser(prog="python -m virnucpro_workers.process", description=__doc__)
    parser.add_argument("--role", type=Role, choices=list(Role), required=True)
    parser.add_argument("--device", required=True, help="name of the slot, as gpu0 or cpu1")
    parser.add_argument("--host", default=socket.gethostname(), help="second half of the node name")
    parser.add_argument("--run-dir", type=Path, help="folder of the heartbeat file")
    options = parser.parse_args(arguments)
    try:
        return run_worker(options.role, options.device, options.host, options.run_dir)
    except VirnucproError as error:
        print(f"virnucpro worker {process_name(options.role, options.device)}: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
