"""`virnucpro worker`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of, check_redis
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import (
    NumberRange,
    PathType,
    bundle_option,
    deployment_options,
    devices_option,
    engine_options,
    log_format_option,
    settings_of,
)
from virnucpro_tasks.cli.preflight import CPU_PRECISION, check_engine, default_precision
from virnucpro_tasks.errors import FullBrokerError, MissingDeviceError
from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.settings import MOST, Settings
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.devices import NONE, DeviceSlot
from virnucpro_tasks.system.extras import require_extra
from virnucpro_tasks.system.interruption import raise_if_interrupted
from virnucpro_tasks.system.isolation import child_environment, isolated_command

FULL_PAUSE_SECONDS = 2.0
DEVICE_PAUSE_SECONDS = 5.0
WORKER_MODULE = "virnucpro_workers"


@click.command("worker")
@devices_option
@click.option(
    "--wait-for-devices",
    is_flag=True,
    help="Wait for devices that are named and not there yet, such as GPUs whose driver comes late at boot.",
)
@click.option(
    "--coordinators",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Processes that split and finish jobs on this host.",
)
@click.option(
    "--small-lane/--no-small-lane",
    default=True,
    show_default=True,
    help="With coordinators, one more process that serves small inputs only.",
)
@click.option("--name", help="Host part of the worker names, unique in one Redis; default: the name of this host.")
@click.option(
    "--grace-seconds",
    type=NumberRange(0, MOST, min_open=True),
    help="Time from the first signal until everything is killed; default: soft_shutdown_seconds plus 15.",
)
@click.option("--run-dir", type=PathType(path_type=Path), help="Folder of the heartbeat files, for a health probe.")
@deployment_options
@bundle_option
@engine_options
@log_format_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    devices: str,
    wait_for_devices: bool,
    coordinators: int,
    small_lane: bool,
    name: str | None,
    grace_seconds: float | None,
    run_dir: Path | None,
    **flags: Any,
) -> None:
    """Start workers on this host: one process per device, supervised until Ctrl-C or SIGTERM.

    With --devices none, only coordinators are started; they need neither torch nor a bundle.
    """
    settings = settings_of(context, **flags)
    limit_cores(settings.threads)
    if devices.strip().lower() != NONE:
        require_extra("worker")
        precision = settings.precision or locate_bundle(settings.bundle).description.precision
        slots = _slots(settings, devices=devices, precision=precision, wait=wait_for_devices)
        if precision != default_precision(precision, slots):
            say(f"warning: on CPUs {precision} is slower than {CPU_PRECISION}: set precision to that for new jobs")
    _check_redis_patiently(settings)
    settings.store.mkdir(parents=True, exist_ok=True)
    # exec: the supervisor must be the process that the caller started and sends signals to.
    program, *arguments = isolated_command(
        *(WORKER_MODULE, "--devices", devices, "--coordinators", str(coordinators)),
        *(() if small_lane else ("--no-small-lane",)),
        *(("--name", name) if name else ()),
        *(("--grace-seconds", str(grace_seconds)) if grace_seconds else ()),
        *(("--run-dir", str(run_dir)) if run_dir else ()),
    )
    os.execve(program, [program, *arguments], child_environment(settings))


def _slots(settings: Settings, *, devices: str, precision: str, wait: bool) -> tuple[DeviceSlot, ...]:
    """`check_engine`, with `wait` once all devices that `devices` names are there."""
    said = ""
    while True:
        try:
            return check_engine(settings, devices=devices, precision=precision)
        except MissingDeviceError as error:
            if not wait:
                raise
            if said != str(error):
                said = str(error)
                say(f"warning: waiting for devices: {error}")
        raise_if_interrupted()
        time.sleep(DEVICE_PAUSE_SECONDS)


def _check_redis_patiently(settings: Settings) -> None:
    """`check_redis`, once Redis has room: whatever starts workers need not start them again and again."""
    said = False
    while True:
        try:
            return check_redis(app_of(settings))
        except FullBrokerError as error:
            if not said:
                say(f"warning: {error}")
            said = True
        raise_if_interrupted()
        time.sleep(FULL_PAUSE_SECONDS)
