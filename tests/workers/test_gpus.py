"""Reading what nvidia-smi lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from virnucpro_workers.gpus import Gpu, list_gpus, parse_listing

LISTING = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5d5b8f1e-0000-1111-2222-333344445555)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-6e6b8f1e-0000-1111-2222-333344445555)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 1g.5gb      Device  1: (UUID: MIG-GPU-6e6b8f1e-0000/7/0)
"""


def test_listing_with_mig() -> None:
    assert parse_listing(LISTING) == (
        Gpu(0, "GPU-5d5b8f1e-0000-1111-2222-333344445555"),
        Gpu(
            1,
            "GPU-6e6b8f1e-0000-1111-2222-333344445555",
            ("MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-GPU-6e6b8f1e-0000/7/0"),
        ),
    )


def test_a_driver_that_is_not_there_lists_nothing() -> None:
    text = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
    assert parse_listing(text) == ()


def test_without_nvidia_smi_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert list_gpus() is None


def test_the_program_on_the_path_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\n[ "$1" = -L ] && echo "GPU 0: Test (UUID: GPU-12)"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list_gpus() == (Gpu(0, "GPU-12"),)
