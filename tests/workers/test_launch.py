"""The processes that are started for the devices of a host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from virnucpro_workers.launch import THREAD_VARIABLES, worker_environment, worker_specs

from virnucpro_tasks.system.devices import DeviceSlot


def test_one_process_a_device_and_the_coordinators() -> None:
    specs = worker_specs(
        (DeviceSlot("gpu3", "3"), DeviceSlot("cpu0", "")),
        coordinators=2,
        small_lane=True,
        host="node",
        run_dir=Path("run"),
        cpu_threads=4,
        finishing_processes=7,
        environment={"KEPT": "yes", "CUDA_VISIBLE_DEVICES": "2,3"},
    )
    assert [spec.name for spec in specs] == [
        "embed-gpu3",
        "embed-cpu0",
        "coordinate-0",
        "coordinate-1",
        "coordinate-small-0",
    ]
    assert [spec.environment["CUDA_VISIBLE_DEVICES"] for spec in specs] == ["3", "", "", "", ""]
    assert all(spec.environment["KEPT"] == "yes" for spec in specs)
    assert len({spec.command for spec in specs}) == 5
    assert [spec.environment["OMP_NUM_THREADS"] for spec in specs] == ["4", "4", "1", "1", "1"]
    assert {spec.environment["VIRNUCPRO_FINISHING_PROCESSES"] for spec in specs} == {"7"}


def test_threads_are_fixed_before_the_process_starts() -> None:
    environment = worker_environment(DeviceSlot("cpu0", ""), threads=3)
    assert {environment[name] for name in THREAD_VARIABLES} == {"3"}
    assert environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


ANOTHER_QUEUE = """
from pathlib import Path
from virnucpro_tasks import keys
keys.COORDINATOR_QUEUES += (keys.CoordinatorQueue("cpu-tiny", most_input_bytes=1_000),)

from virnucpro_tasks.build import own_build
from virnucpro_tasks.queue.messages import jobs_with_messages
from virnucpro_tasks.settings import Settings
from virnucpro_workers.launch import worker_specs
from virnucpro_workers.process import queues_of
from virnucpro_workers.roles import COORDINATE

class Client:
    def eval(self, script, *keys):
        self.keys = keys
        return []

client = Client()
jobs_with_messages(client, ["", "12ab"])
assert {"cpu-tiny", "cpu-tiny.12ab"} <= set(client.keys)
assert [keys.coordinator_queue(size, "") for size in (1_000, 1_001, 10**9)] == ["cpu-tiny", "cpu-small", "cpu"]
own = own_build()
assert queues_of(COORDINATE, Settings()) == (f"cpu.{own}", f"cpu-small.{own}", f"cpu-tiny.{own}")
assert queues_of("coordinate-tiny", Settings()) == (f"cpu-tiny.{own}",)
specs = worker_specs(
    (),
    coordinators=1, small_lane=True, host="h", run_dir=Path("run"), cpu_threads=1, finishing_processes=1,
    environment={},
)
assert [spec.name for spec in specs] == ["coordinate-0", "coordinate-small-0", "coordinate-tiny-0"]
"""


def test_another_queue_of_coordinators_is_one_line() -> None:
    subprocess.run([sys.executable, "-c", ANOTHER_QUEUE], check=True)
