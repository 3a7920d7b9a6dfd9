"""One Celery worker process: a consumer that never uses a device, and one pool child that computes.

    python -m virnucpro_workers.process --role embed --device gpu0

The settings come from VIRNUCPRO_* variables, the device from CUDA_VISIBLE_DEVICES; the launcher sets both.
"""

from __future__ import annotations

from virnucpro_tasks.system.start_module import leave_out_current_folder

if __name__ == "__main__":
    leave_out_current_folder()

import argparse
import logging
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_process_init

from virnucpro_tasks.build import installed_build, own_build
from virnucpro_tasks.errors import ExitCode, OtherBuildError, VirnucproError
from virnucpro_tasks.keys import coordinator_queues, gpu_queue, queue_of_build
from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.pipeline.without_pandas import settle_without_pandas
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.queue.arguments import Subject, subject_of
from virnucpro_tasks.settings import Settings, load_settings
from virnucpro_tasks.system.devices import DeviceSlot
from virnucpro_tasks.system.log_lines import JSON, TEXT, json_handler
from virnucpro_tasks.system.processes import die_with_parent, exit_text
from virnucpro_tasks.system.streams import protect_streams
from virnucpro_tasks.worker_notes import Note, NoteKind, NoteWriter
from virnucpro_workers.consumer.follow import WAITING_SECONDS, CountWaiting, FollowJobQueues
from virnucpro_workers.consumer.hang_watch import HangWatch
from virnucpro_workers.consumer.heartbeat import HeartbeatStep
from virnucpro_workers.consumer.install import install
from virnucpro_workers.consumer.kombu_internals import (
    allow_children,
    report_lost_children,
    running_arguments,
    stop_after_the_task,
    stop_quietly,
)
from virnucpro_workers.consumer.lost_jobs import Watchdog
from virnucpro_workers.consumer.request import CountedRequest
from virnucpro_workers.consumer.retention import Retention
from virnucpro_workers.hang import HangDetector
from virnucpro_workers.health import Phase, heartbeat_file, write_heartbeat
from virnucpro_workers.loading import LoadingState
from virnucpro_workers.log import Subjects, set_up_log
from virnucpro_workers.outage_lines import OutageFilter
from virnucpro_workers.process_watch import ProcessWatch
from virnucpro_workers.roles import COORDINATE, DEDICATED_COORDINATORS, EMBED, ROLES, process_name
from virnucpro_workers.say import Say
from virnucpro_workers.sign_of_life import SignOfLife

CELERY_WORKER_LOGGER = "celery.worker.worker"
LOADING_SECONDS = 1800.0
"""Celery kills a pool child that is not up after this: several times what a 3B model takes from a slow disk."""


def queues_of(role: str, settings: Settings) -> tuple[str, ...]:
    """Return the queues that a role takes from at its start: those of this build.

    Raises BundleError for an embedding worker without a bundle.
    """
    if role == EMBED:
        return (gpu_queue(locate_bundle(settings.bundle).digest, own_build()),)
    if role == COORDINATE:
        return coordinator_queues(own_build())
    return (queue_of_build(DEDICATED_COORDINATORS[role], own_build()),)


def consumer_steps(role: str, queues: tuple[str, ...], loading: LoadingState) -> list[type]:
    """Return the consumer steps of a role, besides those of every worker."""
    if role == EMBED:
        return [type("Follow", (FollowJobQueues,), {"bundle_queue": queues[0], "loading": loading})]
    return [CountWaiting, Watchdog, Retention] if role == COORDINATE else [CountWaiting]


def transport_options(role: str) -> dict[str, float]:
    """Return kombu's options for a role, besides those of every worker."""
    return {"polling_interval": WAITING_SECONDS} if role == EMBED else {}


def celery_options(*, queues: tuple[str, ...], node: str, log_level: str, log_format: str = TEXT) -> dict[str, Any]:
    """Return the options of the Celery worker, those of its command line, whose parser takes time to import.

    The pool is prefork with one child: only this pool gives heartbeats while a task runs, has time limits, requeues on
    SIGQUIT and reports a dead child at once.
    """
    return {
        "pool": "prefork",
        "concurrency": 1,
        "queues": list(queues),
        "hostname": node,
        "loglevel": log_level,
        # Without the banner, which is no line of a log.
        "quiet": log_format == JSON,
        "optimization": "default",
        "without_gossip": True,
        "without_mingle": True,
        "task_events": True,
    }


def run_worker(role: str, device: str, host: str, run_dir: Path | None, notes: NoteWriter) -> int:
    """Run the worker until a signal stops it; returns the exit code. Raises VirnucproError if no restart can help."""
    settings = load_settings()
    app = make_app(settings)
    queues = queues_of(role, settings)
    name = process_name(role, device)
    node = f"{name}@{host}"
    # Celery's default of 4 s would kill a child that is loading models.
    app.conf.worker_proc_alive_timeout = LOADING_SECONDS
    # A new child would load the models again: minutes of a GPU.
    app.conf.worker_max_tasks_per_child = None
    app.conf.worker_max_memory_per_child = None
    loading, life = LoadingState(), SignOfLife()
    app.working = life.working
    steps = consumer_steps(role, queues, loading)
    watch = ProcessWatch(
        life,
        HangDetector(settings.progress_limit_seconds, packs_only=role == EMBED and has_gpu(device)),
        subject=lambda: str(running_subject() or ""),
        tell=lambda text: notes.write(Note(name, NoteKind.HUNG, text=text)),
    )
    steps.append(type("Hangs", (HangWatch,), {"watch": watch}))
    if run_dir is not None:
        file = heartbeat_file(run_dir, name)
        write_heartbeat(file, Phase.STARTING)
        steps.append(type("Heartbeat", (HeartbeatStep,), {"file": file}))
    begin_log(name, settings.log_format)
    install(app, steps=steps, transport_options=transport_options(role))
    parent_pid = os.getpid()

    def fail(error: str) -> None:
        notes.write(Note(name, NoteKind.FAILED, text=error))

    def start_child(**_: Any) -> None:
        # Otherwise a child that computes would hold its device after its parent was killed.
        die_with_parent(parent_pid)()
        allow_children()

        def load() -> None:
            if role == EMBED:
                load_models(app, device, life, node=node)
            # Not before: modules are imported until then.
            require_own_build()

        loading.run(load, say=Say(settings.log_format, process=name), tell=fail)
        life.begin()
        notes.write(Note(name, NoteKind.READY))

    def lose_child(status: int) -> None:
        """Tell the supervisor; end this process if no child gets as far as to take a task."""
        life.end()
        notes.write(Note(name, NoteKind.LOST, status=status))
        if loading.is_ready or loading.exit_code is not None:
            loading.begin()
            return
        text = f"its computing process {exit_text(status)} before it was ready"
        Say(settings.log_format, process=name)(text, level="ERROR", stream=sys.__stderr__)
        os._exit(ExitCode.UNEXPECTED)

    worker_process_init.connect(start_child, weak=False)
    tell_tasks(name, notes)
    report_lost_children(lose_child)
    logging.getLogger(CELERY_WORKER_LOGGER).addHandler(_LastError(fail))
    settle_without_pandas()
    stop_quietly()
    try:
        worker = app.Worker(
            **celery_options(queues=queues, node=node, log_level=settings.log_level, log_format=settings.log_format)
        )
        stop_after_the_task(worker, is_at_task=life.is_at_task)
        worker.start()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        return loading.exit_code or code
    return loading.exit_code or int(worker.exitcode or 0)


def tell_tasks(name: str, notes: NoteWriter) -> None:
    """Tell the supervisor of each task that the computing process begins and finishes."""

    def begin(**_: Any) -> None:
        notes.write(Note(name, NoteKind.WORKING))

    def end(state: str | None = None, **_: Any) -> None:
        if state in ("SUCCESS", "FAILURE"):
            notes.write(Note(name, NoteKind.WORKED))

    task_prerun.connect(begin, weak=False)
    task_postrun.connect(end, weak=False)


class _LastError(logging.Handler):
    """Passes on the error for which Celery ends a worker."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        super().__init__(logging.CRITICAL)
        self._fail = fail

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._fail(record.getMessage() if error is None else f"{type(error).__name__}: {error}")


def has_gpu(device: str) -> bool:
    """Return whether this process was started on a GPU rather than on a CPU."""
    return DeviceSlot(device, os.environ.get("CUDA_VISIBLE_DEVICES", "")).is_gpu


def running_subject() -> Subject | None:
    """Return the job and the shard of the task that this worker runs, if any."""
    return next((subject for task in running_arguments() if (subject := subject_of(task)) is not None), None)


def begin_log(name: str, log_format: str) -> None:
    """Let the log of this worker name it, and what each line is about; tell outages of Redis once."""
    CountedRequest.subjects = Subjects(running_subject)
    set_up_log(name, log_format, CountedRequest.subjects, OutageFilter())
    if log_format == JSON:
        # Until Celery sets up its log, it warns by Python's warnings.
        logging.captureWarnings(True)
        logging.getLogger().addHandler(json_handler(name))


def require_own_build() -> None:
    """Raise OtherBuildError if another build was installed in the place of the one that this process has begun with."""
    if (found := installed_build()) != own_build():
        raise OtherBuildError(
            f"another build was installed under the worker: {found} instead of {own_build()}",
            job_id="",
            hint="it is started anew, as one of that build",
        )


def load_models(app: VirnucproApp, device: str, life: SignOfLife, *, node: str = "") -> None:
    """Load the models onto this process's device, for the worker `node`, whose packs `life` counts.

    Only this child process of a worker uses torch or CUDA.
    """
    from virnucpro_tasks.pipeline.embed_shard import ShardWorker

    app.shard_worker = ShardWorker(app.settings, device=device, name=node, computing=life.computing)
    app.shard_worker.engine()


def main(arguments: list[str] | None = None) -> int:
    """Parse the flags and run one worker."""
    protect_streams()
    parser = argparse.ArgumentParser(prog="python -m virnucpro_workers.process", description=__doc__)
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--device", required=True, help="name of the device, as gpu0 or cpu1")
    parser.add_argument("--host", default=socket.gethostname(), help="second half of the node name")
    parser.add_argument("--run-dir", type=Path, help="folder of the heartbeat file")
    parser.add_argument("--notes-fd", type=int, help="file descriptor of a pipe to the supervisor")
    options = parser.parse_args(arguments)
    notes, name = NoteWriter(options.notes_fd), process_name(options.role, options.device)
    try:
        return run_worker(options.role, options.device, options.host, options.run_dir, notes)
    except VirnucproError as error:
        Say(process=name)(str(error), level="ERROR")
        notes.write(Note(name, NoteKind.FAILED, text=str(error)))
        return error.exit_code
    except Exception as error:
        Say(process=name)(traceback.format_exc(), level="ERROR")
        notes.write(Note(name, NoteKind.FAILED, text=f"{type(error).__name__}: {error}"))
        return ExitCode.UNEXPECTED


if __name__ == "__main__":
    sys.exit(main())
