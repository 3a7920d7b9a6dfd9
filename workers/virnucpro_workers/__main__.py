"""`python -m virnucpro_workers` runs and supervises the workers of this host. Settings are VIRNUCPRO_* variables."""

from __future__ import annotations

from virnucpro_tasks.system.start_module import leave_out_current_folder

if __name__ == "__main__":
    leave_out_current_folder()

import argparse
import os
import socket
import sys
from functools import partial
from pathlib import Path

from virnucpro_tasks import keys
from virnucpro_tasks.build import own_build
from virnucpro_tasks.errors import SettingsError, VirnucproError
from virnucpro_tasks.jobs.store_check import shortcomings
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.settings import Settings, load_settings
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.devices import GRAMMAR, choose_devices
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import can_share_memory, persistently
from virnucpro_tasks.system.gpus import list_gpus
from virnucpro_tasks.system.host import available_cores, memory, most_processes, raise_open_files, require_semaphores
from virnucpro_tasks.system.isolation import child_environment
from virnucpro_tasks.system.streams import protect_streams
from virnucpro_tasks.system.temporary import TemporaryFolder
from virnucpro_tasks.worker_notes import Note, NoteKind, NoteWriter
from virnucpro_workers.deaths import Policy, one_shot_policy
from virnucpro_workers.finishing import finishing_processes
from virnucpro_workers.launch import worker_specs
from virnucpro_workers.say import Say
from virnucpro_workers.supervisor import Supervisor
from virnucpro_workers.trouble_recorder import TroubleRecorder

SUPERVISOR = "supervisor"
"""The sender of notes that are of no single worker."""

STOP_GRACE_SECONDS = 15.0
"""Time after the soft shutdown time in which workers requeue their shards and leave Redis, before SIGKILL."""
HAND_BACK_SECONDS = 5.0
"""That time as a part of --grace-seconds; at most half of them."""


def main(arguments: list[str] | None = None) -> int:
    """Run the workers that the flags and settings ask for; returns the exit code."""
    protect_streams()
    options = build_parser().parse_args(arguments)
    try:
        settings = load_settings(flags={"soft_shutdown_seconds": _soft_seconds(options.grace_seconds)})
        limit_cores(settings.threads)
        raise_open_files()
        require_semaphores()
        if options.run_dir is not None:
            persistently(partial(options.run_dir.mkdir, parents=True, exist_ok=True, mode=0o700))
            return supervise(options, settings, options.run_dir)
        with TemporaryFolder("virnucpro-run-", otherwise=settings.store) as folder:
            return supervise(options, settings, folder)
    except VirnucproError as error:
        Say()(str(error), level="ERROR")
        return error.exit_code


def supervise(options: argparse.Namespace, settings: Settings, run_dir: Path) -> int:
    """Run the workers that `options` ask for until a signal stops them; returns the exit code.

    Raises StoreError if results could be wrong on the file system of the store.
    """
    say = Say(settings.log_format)
    _tell_of_file_system(settings.store, say)
    notes = None if options.notes_fd is None else NoteWriter(options.notes_fd)
    cores = available_cores()
    choice = choose_devices(
        options.devices,
        mask=os.environ.get("CUDA_VISIBLE_DEVICES"),
        gpus=list_gpus(say=say),
        cores=cores,
        cpu_threads=settings.cpu_threads,
        most_automatic=options.most_devices,
    )
    if choice.note:
        say(choice.note)
        if notes is not None:
            notes.write(Note(SUPERVISOR, NoteKind.DEVICES, text=choice.note))
    if choice.slots:
        find_bundle(
            settings.bundle, announce=lambda size: say(f"checking the files of the bundle, {size / 1e9:.1f} GB")
        )
    specs = worker_specs(
        choice.slots,
        coordinators=options.coordinators,
        small_lane=options.small_lane,
        host=options.name,
        run_dir=run_dir,
        cpu_threads=settings.cpu_threads,
        environment=child_environment(settings) | _temporary_place(options, run_dir),
        finishing_processes=_finishing_processes(settings, cores),
    )
    if not specs:
        raise SettingsError("nothing to start", hint="no devices and no coordinators were asked for")
    stop_seconds = settings.soft_shutdown_seconds + _reserve_seconds(options.grace_seconds)
    policy = (one_shot_policy if options.one_shot else Policy)(stop_seconds=stop_seconds)
    if notes is not None:
        tell = notes.write
    else:
        gpu_queue = "" if not choice.slots else keys.gpu_queue(find_bundle(settings.bundle).digest, own_build())
        tell = TroubleRecorder(settings, host=options.name, gpu_queue=gpu_queue).tell
    return Supervisor(specs, policy, run_dir=run_dir, say=say, tell=tell).run()


def _finishing_processes(settings: Settings, cores: int) -> int:
    here = memory()
    asked = settings.finishing_processes or finishing_processes(
        cores, free_bytes=None if here is None else here.free_bytes, free_processes=most_processes()
    )
    return min(asked, settings.threads or asked)


def _temporary_place(options: argparse.Namespace, run_dir: Path) -> dict[str, str]:
    """Variables that make libraries of the workers use our own temporary folder, which is removed after a kill too."""
    if options.run_dir is not None and not options.one_shot:
        return {}
    # Processes of Celery share memory in files there.
    return {"TMPDIR": str(run_dir)} if can_share_memory(run_dir) else {}


def _tell_of_file_system(store: Path, say: Say) -> None:
    """Say what the file system of `store` lacks; a store that cannot be written now may be writable again later."""
    try:
        lines = [f"the file system of {store} has {shortcoming}" for shortcoming in shortcomings(store)]
    except OSError as error:
        lines = [f"{store} cannot be written: {cause_of(error, store).words}"]
    for line in lines:
        say(line, level="WARNING")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the supervisor's flags; everything else is a setting."""
    parser = argparse.ArgumentParser(prog="python -m virnucpro_workers", description="Start the workers of this host.")
    parser.add_argument("--devices", default="auto", help=GRAMMAR)
    parser.add_argument("--most-devices", type=_positive, help="'auto' chooses so many at most")
    parser.add_argument("--coordinators", type=_count, default=1, help="processes that split and finish jobs (1)")
    parser.add_argument(
        "--small-lane",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="with coordinators, one more process that serves small inputs only",
    )
    parser.add_argument("--name", default=socket.gethostname(), help="host part of the worker names; unique per Redis")
    parser.add_argument("--grace-seconds", type=_seconds, help="all workers have ended so long after the first signal")
    parser.add_argument("--run-dir", type=Path, help="folder of the heartbeat files (a temporary one)")
    parser.add_argument("--one-shot", action="store_true", help="give a worker up that dies again and again")
    parser.add_argument("--notes-fd", type=int, help="file descriptor of a pipe to the process that started this one")
    return parser


def _soft_seconds(grace_seconds: float | None) -> float | None:
    """Return the part of a grace period in which shards may go on; None leaves it to the setting."""
    return None if grace_seconds is None else grace_seconds - _reserve_seconds(grace_seconds)


def _reserve_seconds(grace_seconds: float | None) -> float:
    return STOP_GRACE_SECONDS if grace_seconds is None else min(HAND_BACK_SECONDS, grace_seconds / 2)


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


if __name__ == "__main__":
    sys.exit(main())
