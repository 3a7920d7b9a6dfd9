"""One Celery worker process: a consumer that never uses a device, and one pool child that computes.

    python -m virnucpro_workers.process --role embed --device gpu0

The settings come from VIRNUCPRO_* variables, the device from CUDA_VISIBLE_DEVICES; the launcher sets both.
"""

from __future__ import annotations

from virnucpro_tasks.start_module import leave_out_current_folder

if __name__ == "__main__":
    leave_out_current_folder()

import argparse
import os
import socket
import sys
from pathlib import Path
from typing import Any

from celery.signals import worker_process_init

from virnucpro_tasks.errors import VirnucproError
from virnucpro_tasks.keys import COORDINATOR_QUEUES, gpu_queue
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.processes import die_with_parent
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.settings import Settings, load_settings
from virnucpro_tasks.streams import protect_streams
from virnucpro_workers.consumer.follow import WAITING_SECONDS, CountWaiting, FollowJobQueues
from virnucpro_workers.consumer.heartbeat import HeartbeatStep
from virnucpro_workers.consumer.install import install
from virnucpro_workers.consumer.kombu_internals import allow_children
from virnucpro_workers.consumer.lost_jobs import Watchdog
from virnucpro_workers.health import Phase, heartbeat_file, write_heartbeat
from virnucpro_workers.loading import LoadingState
from virnucpro_workers.roles import COORDINATE, DEDICATED_COORDINATORS, EMBED, ROLES, process_name

LOADING_SECONDS = 1800.0
"""Celery kills a pool child that is not up after this: several times what a 3B model takes from a slow disk."""


def queues_of(role: str, settings: Settings) -> tuple[str, ...]:
    """Return the queues that a role takes from at its start. Raises BundleError for an embedding worker without one."""
    if role == EMBED:
        return (gpu_queue(find_bundle(settings.bundle).digest),)
    if role == COORDINATE:
        return tuple(queue.name for queue in COORDINATOR_QUEUES)
    return (DEDICATED_COORDINATORS[role],)


def consumer_steps(role: str, queues: tuple[str, ...], loading: LoadingState) -> list[type]:
    """Return the consumer steps of a role, besides those of every worker."""
    if role == EMBED:
        return [type("Follow", (FollowJobQueues,), {"bundle_queue": queues[0], "loading": loading})]
    return [CountWaiting, Watchdog] if role == COORDINATE else [CountWaiting]


def transport_options(role: str) -> dict[str, float]:
    """Return kombu's options for a role, besides those of every worker."""
    return {"polling_interval": WAITING_SECONDS} if role == EMBED else {}


def celery_arguments(*, queues: tuple[str, ...], node: str, log_level: str) -> list[str]:
    """Return the command line of the Celery worker.

    The pool is prefork with one child: only this pool gives heartbeats while a task runs, has time limits, requeues on
    SIGQUIT and reports a dead child at once.
    """
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


def run_worker(role: str, device: str, host: str, run_dir: Path | None) -> int:
    """Run the worker until a signal stops it; returns the exit code. Raises VirnucproError if no restart can help."""
    settings = load_settings()
    app = make_app(settings)
    queues = queues_of(role, settings)
    name = process_name(role, device)
    # Celery's default of 4 s would kill a child that is loading models.
    app.conf.worker_proc_alive_timeout = LOADING_SECONDS
    # A new child would load the models again: minutes of a GPU.
    app.conf.worker_max_tasks_per_child = None
    app.conf.worker_max_memory_per_child = None
    loading = LoadingState()
    steps = consumer_steps(role, queues, loading)
    if run_dir is not None:
        file = heartbeat_file(run_dir, name)
        write_heartbeat(file, Phase.STARTING)
        steps.append(type("Heartbeat", (HeartbeatStep,), {"file": file}))
    install(app, steps=steps, transport_options=transport_options(role))
    parent_pid = os.getpid()

    def start_child(**_: Any) -> None:
        # Otherwise a child that computes would hold its device after its parent was killed.
        die_with_parent(parent_pid)()
        allow_children()
        if role == EMBED:
            loading.run(lambda: load_models(app, device), name=name)

    worker_process_init.connect(start_child, weak=False)
    try:
        app.worker_main(celery_arguments(queues=queues, node=f"{name}@{host}", log_level=settings.log_level))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        return loading.exit_code or code
    return loading.exit_code or 0


def load_models(app: VirnucproApp, device: str) -> None:
    """Load the models onto this process's device. Only this child process of a worker uses torch or CUDA."""
    from virnucpro_tasks.pipeline.embed_shard import ShardWorker

    app.shard_worker = ShardWorker(app.settings, device=device)
    app.shard_worker.engine()


def main(arguments: list[str] | None = None) -> int:
    """Parse the flags and run one worker."""
    protect_streams()
    parser = argparse.ArgumentParser(prog="python -m virnucpro_workers.process", description=__doc__)
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--device", required=True, help="name of the device, as gpu0 or cpu1")
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
