"""Cores that may be used: affinity and control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from virnucpro_workers.cores import available_cores, quota_cores


@pytest.fixture
def groups(tmp_path: Path) -> tuple[Path, Path]:
    membership, root = tmp_path / "cgroup", tmp_path / "fs"
    membership.write_text("0::/system.slice/worker.service\n")
    (root / "system.slice/worker.service").mkdir(parents=True)
    return membership, root


def test_tightest_quota_of_all_levels(groups: tuple[Path, Path]) -> None:
    membership, root = groups
    (root / "system.slice/worker.service/cpu.max").write_text("800000 100000\n")
    (root / "system.slice/cpu.max").write_text("150000 100000\n")
    (root / "cpu.max").write_text("max 100000\n")
    assert quota_cores(membership, root) == 1.5


def test_no_quota(groups: tuple[Path, Path]) -> None:
    membership, root = groups
    (root / "cpu.max").write_text("max 100000\n")
    assert quota_cores(membership, root) is None
    assert quota_cores(root / "nowhere", root) is None
    membership.write_text("4:cpu:/old\n")
    assert quota_cores(membership, root) is None


def test_affinity_is_respected() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
