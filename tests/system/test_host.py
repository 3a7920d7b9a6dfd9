"""Limits of the host, read from files of /proc and /sys like those of several kinds of hosts and containers."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path

import pytest

from virnucpro_tasks.errors import LimitError
from virnucpro_tasks.system import host


class Host:
    """Folders in the place of /proc and /sys/fs/cgroup."""

    def __init__(self, folder: Path, membership: str) -> None:
        self.proc, self.cgroups = folder / "proc", folder / "cgroup"
        self.cgroups.mkdir()
        self.write("proc/self/cgroup", membership)

    def write(self, name: str, text: str) -> None:
        file = self.proc.parent / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def places(self) -> dict[str, Path]:
        return {"proc": self.proc, "cgroups": self.cgroups}


VERSION_2 = "0::/system.slice/worker.service\n"
VERSION_1 = "4:memory:/jobs/42\n3:cpu,cpuacct:/jobs/42\n2:cpuset:/jobs/42\n1:pids:/jobs/42\n0::/jobs/42\n"


@pytest.fixture
def version_2(tmp_path: Path) -> Host:
    return Host(tmp_path, VERSION_2)


@pytest.fixture
def version_1(tmp_path: Path) -> Host:
    return Host(tmp_path, VERSION_1)


def test_the_tightest_quota_of_all_levels_counts(version_2: Host) -> None:
    version_2.write("cgroup/system.slice/worker.service/cpu.max", "800000 100000\n")
    version_2.write("cgroup/system.slice/cpu.max", "150000 100000\n")
    version_2.write("cgroup/cpu.max", "max 100000\n")
    assert host.quota_cores(**version_2.places) == 1.5


def test_a_quota_of_version_1(version_1: Host) -> None:
    version_1.write("cgroup/cpu,cpuacct/jobs/42/cpu.cfs_quota_us", "250000\n")
    version_1.write("cgroup/cpu,cpuacct/jobs/42/cpu.cfs_period_us", "100000\n")
    version_1.write("cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "-1\n")
    version_1.write("cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "100000\n")
    assert host.quota_cores(**version_1.places) == 2.5


def test_a_quota_of_version_1_below_the_name_of_one_controller(version_1: Host) -> None:
    version_1.write("cgroup/cpu/jobs/42/tasks", "")
    version_1.write("cgroup/cpu/jobs/cpu.cfs_quota_us", "50000")
    version_1.write("cgroup/cpu/jobs/cpu.cfs_period_us", "100000")
    assert host.quota_cores(**version_1.places) == 0.5


@pytest.mark.parametrize("path", ["/docker/1f2e", "/../../kubepods/pod1/1f2e", "/"])
def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path, path: str) -> None:
    container = Host(tmp_path, f"0::{path}\n")
    container.write("cgroup/cpu.max", "300000 100000\n")
    container.write("cgroup/memory.max", "2000000000\n")
    assert host.quota_cores(**container.places) == 3
    known = host.memory(**container.places)
    assert known is not None and known.limit_bytes == 2_000_000_000


def test_a_path_whose_beginning_is_hidden_from_a_container(tmp_path: Path) -> None:
    container = Host(tmp_path, "3:cpu:/docker/1f2e/inner\n")
    container.write("cgroup/cpu/inner/cpu.cfs_quota_us", "100000")
    container.write("cgroup/cpu/inner/cpu.cfs_period_us", "100000")
    assert host.quota_cores(**container.places) == 1


@pytest.mark.parametrize("text", ["max 100000\n", "", "100000", "0 0", "nonsense here"])
def test_no_quota(version_2: Host, text: str) -> None:
    version_2.write("cgroup/system.slice/worker.service/cpu.max", text)
    assert host.quota_cores(**version_2.places) is None


def test_a_host_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    places = {"proc": tmp_path / "no", "cgroups": tmp_path / "none"}
    assert host.quota_cores(**places) is None
    assert host.cpuset_cores(**places) is None
    assert host.memory(**places) is None
    assert host.most_processes(**places) is None
    assert host.oom_kills(**places) == 0


def test_affinity_is_respected() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert host.available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 200),
        ({"cpu.max": "1250000 100000"}, 13),
        ({"cpuset.cpus.effective": "0-3,8"}, 5),
        ({"cpuset.cpus.effective": "0-63", "cpu.max": "400000 100000"}, 4),
        ({"cpu.max": "20000 100000"}, 1),
    ],
)
def test_two_hundred_cores_less_what_the_group_may_not_use(
    version_2: Host, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda _: set(range(200)))
    for name, text in files.items():
        version_2.write(f"cgroup/system.slice/worker.service/{name}", text)
    assert host.available_cores(**version_2.places) == cores


def test_the_cpuset_of_version_1(version_1: Host) -> None:
    version_1.write("cgroup/cpuset/jobs/42/cpuset.cpus", "2,4-5\n")
    assert host.cpuset_cores(**version_1.places) == 3


def test_memory_is_that_of_the_host_or_of_the_tightest_group(version_2: Host) -> None:
    version_2.write("proc/meminfo", "MemTotal:       8000000 kB\nMemFree: 1 kB\nMemAvailable:    6000000 kB\n")
    assert host.memory(**version_2.places) == host.Memory(8_192_000_000, 6_144_000_000)
    version_2.write("cgroup/system.slice/memory.max", "4000000000\n")
    version_2.write("cgroup/system.slice/memory.current", "3000000000\n")
    version_2.write("cgroup/system.slice/memory.stat", "anon 500\ninactive_file 2000000000\nactive_file 500000000\n")
    version_2.write("cgroup/system.slice/worker.service/memory.max", "max\n")
    assert host.memory(**version_2.places) == host.Memory(4_000_000_000, 3_500_000_000)


def test_memory_of_version_1(version_1: Host) -> None:
    version_1.write("cgroup/memory/jobs/42/memory.limit_in_bytes", "1000000000")
    version_1.write("cgroup/memory/jobs/42/memory.usage_in_bytes", "900000000")
    version_1.write("cgroup/memory/jobs/42/memory.stat", "inactive_file 5\ntotal_inactive_file 300000000\n")
    version_1.write("cgroup/memory/jobs/memory.limit_in_bytes", "9223372036854771712")
    assert host.memory(**version_1.places) == host.Memory(1_000_000_000, 400_000_000)


def test_processes_that_the_kernel_killed_for_lack_of_memory(version_2: Host) -> None:
    version_2.write("proc/vmstat", "nr_free 7\noom_kill 2\n")
    assert host.oom_kills(**version_2.places) == 2
    version_2.write("cgroup/system.slice/worker.service/memory.events", "low 0\noom 4\noom_kill 3\n")
    assert host.oom_kills(**version_2.places) == 3


def test_such_processes_in_a_group_of_version_1(version_1: Host) -> None:
    version_1.write("cgroup/memory/jobs/42/memory.oom_control", "under_oom 0\noom_kill 5\n")
    assert host.oom_kills(**version_1.places) == 5


def test_the_room_for_processes(version_2: Host) -> None:
    version_2.write("cgroup/system.slice/pids.max", "100\n")
    version_2.write("cgroup/system.slice/pids.current", "70\n")
    version_2.write("cgroup/system.slice/worker.service/pids.max", "max\n")
    assert host.most_processes(**version_2.places) == 30


def test_instruction_sets_of_the_processor(version_2: Host) -> None:
    assert host.processor_features(proc=version_2.proc) == frozenset()
    version_2.write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse4_2 avx avx2\n\nprocessor\t: 1\n")
    assert "avx2" in host.processor_features(proc=version_2.proc)


def test_the_model_of_the_processor(version_2: Host) -> None:
    version_2.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD  EPYC 7763 64-Core\n")
    assert host.processor_model(proc=version_2.proc) == "AMD EPYC 7763 64-Core"
    version_2.write("proc/cpuinfo", "processor\t: 0\nmodel name\t:\n")
    assert host.processor_model(proc=version_2.proc) == platform.machine()


def test_a_processor_without_avx2_is_warned_of() -> None:
    assert host.describe_processor(frozenset({"avx2", "avx512f"}), "x86_64") == "AVX-512"
    assert host.describe_processor(frozenset({"avx2"}), "x86_64") == "AVX2"
    assert "SIGILL" in host.describe_processor(frozenset({"sse4_2"}), "x86_64")
    assert host.describe_processor(frozenset({"asimd"}), "aarch64") == "aarch64"


def test_open_files_are_raised_to_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(64, 1024)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    host.raise_open_files()
    assert limits[1:] == [(1024, 1024)]
    limits[:] = [(1024, resource.RLIM_INFINITY)]
    host.raise_open_files()
    assert limits[1:] == [(host.MOST_OPEN_FILES, resource.RLIM_INFINITY)]
    limits[:] = [(20_000, 20_000)]
    host.raise_open_files()
    assert limits[1:] == []


def test_too_few_open_files_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (32, 32))
    with pytest.raises(LimitError, match=r"only 32 open files are allowed \(ulimit -n\).*ulimit -n 1024"):
        host.raise_open_files()


def test_without_shared_memory_the_reason_is_that_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    host.require_semaphores()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("multiprocessing.synchronize.Lock.__init__", refuse)
    with pytest.raises(LimitError, match="/dev/shm: Read-only file system"):
        host.require_semaphores()
