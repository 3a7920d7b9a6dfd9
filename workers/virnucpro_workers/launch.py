"""Lists the processes of a host: one embedding process per device, and the coordinators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from virnucpro_tasks.system.devices import DeviceSlot, device_environment
from virnucpro_tasks.system.isolation import isolated_command
from virnucpro_workers.roles import COORDINATE, DEDICATED_COORDINATORS, EMBED, process_name
from virnucpro_workers.supervisor import WorkerSpec

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
"""Variables of libraries that start a thread per core by default. With a fixed number the sums of a CPU worker do not
depend on the machine, and workers do not compete for cores."""


def worker_specs(
    slots: tuple[DeviceSlot, ...],
    *,
    coordinators: int,
    small_lane: bool,
    host: str,
    run_dir: Path,
    cpu_threads: int,
    finishing_processes: int,
    environment: Mapping[str, str],
) -> list[WorkerSpec]:
    """Return the processes of this host, embedding ones first.

    An embedding process computes with `cpu_threads` threads; the others have one, and finish a big job with
    `finishing_processes` processes. With `small_lane`, coordinators are joined by one more for each role that serves
    small inputs only.
    """
    wanted = [(EMBED, slot) for slot in slots]
    wanted += [(COORDINATE, DeviceSlot(str(number), "")) for number in range(coordinators)]
    if small_lane and coordinators > 0:
        wanted += [(role, DeviceSlot("0", "")) for role in DEDICATED_COORDINATORS]
    return [
        WorkerSpec(
            name=process_name(role, slot.name),
            command=(
                *isolated_command("virnucpro_workers.process"),
                *("--role", role, "--device", slot.name, "--host", host, "--run-dir", str(run_dir)),
            ),
            environment=dict(environment)
            | worker_environment(slot, threads=cpu_threads if role == EMBED else 1)
            | {"VIRNUCPRO_FINISHING_PROCESSES": str(finishing_processes)},
        )
        for role, slot in wanted
    ]


def worker_environment(slot: DeviceSlot, *, threads: int) -> dict[str, str]:
    """Return the variables that pin a process to its device; they must be set before it starts."""
    return {
        **device_environment(slot),
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
    }
