"""What is started on a host: one embedding process per device, and the coordinating ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from virnucpro_workers.devices import DeviceSlot
from virnucpro_workers.process import Role, process_name
from virnucpro_workers.supervisor import WorkerSpec

#: Libraries that each start a thread per core unless told otherwise. With a fixed number the sums of a CPU worker
#: do not depend on the machine, and workers do not fight for cores.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


def worker_specs(
    slots: tuple[DeviceSlot, ...],
    *,
    coordinators: int,
    small_lane: bool,
    host: str,
    run_dir: Path,
    cpu_threads: int,
    finishing_processes: int,
    environment: Mapping[str, str] | None = None,
) -> list[WorkerSpec]:
    """The processes of this host, embedding ones first.

    An embedding process computes with `cpu_threads` threads; the others have one, and finish a big job with
    `finishing_processes` processes. With `small_lane` one more coordinator serves small inputs only, which then never
    wait for a giant one.
    """
    base = os.environ if environment is None else environment
    wanted = [(Role.EMBED, slot) for slot in slots]
    wanted += [(Role.COORDINATE, DeviceSlot(str(number), "")) for number in range(coordinators)]
    wanted += [(Role.COORDINATE_SMALL, DeviceSlot("0", ""))] * (small_lane and coordinators > 0)
    return [
        WorkerSpec(
            name=process_name(role, slot.name),
            command=(
                *(sys.executable, "-m", "virnucpro_workers.process"),
                *("--role", role, "--device", slot.name, "--host", host, "--run-dir", str(run_dir)),
            ),
            environment=dict(base)
            | worker_environment(slot, threads=cpu_threads if role is Role.EMBED else 1)
            | {"VIRNUCPRO_FINISHING_PROCESSES": str(finishing_processes)},
        )
        for role, slot in wanted
    ]


def worker_environment(slot: DeviceSlot, *, threads: int) -> dict[str, str]:
    """Variables that pin a process to its slot; they have to be there before it starts."""
    return {
        "CUDA_VISIBLE_DEVICES": slot.cuda_visible_devices,
        # nvidia-smi counts in bus order; CUDA's own default order differs on mixed hosts.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
    }
