"""A job on real file systems that are small, slow, stacked or read-only, mounted where only the test sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from job import SAMPLE
from needs import missing

SCRIPT = Path(__file__).with_name("one_job_each.py")

MOUNTS = {
    "plain": "true",
    "synchronous ext4": (
        "truncate -s 32M image && mkfs.ext4 -q -F -O ^has_journal image && mount -o loop,sync image $PLACE"
    ),
    "overlay": (
        "mkdir stack && mount -t tmpfs none stack && mkdir stack/lower stack/upper stack/work && mount -t overlay"
        " -o lowerdir=stack/lower,upperdir=stack/upper,workdir=stack/work none $PLACE"
    ),
    "forty inodes": "mount -t tmpfs -o nr_inodes=40 none $PLACE",
    "twelve inodes": "mount -t tmpfs -o nr_inodes=12 none $PLACE",
    "small": "mount -t tmpfs -o size=256k none $PLACE",
    "read-only": "cp $SAMPLE $PLACE/reads.fasta && mount --bind $PLACE $PLACE && mount -o remount,bind,ro $PLACE",
}
REFUSALS = {
    "forty inodes": "all inodes are in use, though bytes are free",
    "twelve inodes": "all inodes are in use, though bytes are free",
    "small": "No space left on device (",
    "read-only": "Read-only file system",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of a job on each file system."""
    folder = tmp_path_factory.mktemp("mounts")
    (folder / "jobs").mkdir()
    mounts = [f"mkdir jobs/{n} && PLACE=jobs/{n} && {mount}" for n, mount in enumerate(MOUNTS.values())]
    names = " ".join(["none"] * len(MOUNTS))
    command = " && ".join(["set -e", *mounts, f"touch mounted && exec {sys.executable} {SCRIPT} $PWD/jobs {names}"])
    ended = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", command],
        cwd=folder,
        env=os.environ | {"SAMPLE": str(SAMPLE)},
        capture_output=True,
        text=True,
        check=False,
    )
    if not (folder / "mounted").exists():
        missing(f"file systems cannot be mounted here: {ended.stderr.strip()}")
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    return dict(zip(MOUNTS, found, strict=True))


@pytest.mark.parametrize("name", [name for name in MOUNTS if name not in REFUSALS])
def test_the_files_are_the_same_on_each(name: str, outcomes: dict[str, Any]) -> None:
    assert {"records.tsv", "000000.safetensors"} < outcomes["plain"]["files"].keys()
    assert outcomes[name].get("files", outcomes[name]) == outcomes["plain"]["files"]


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_used_up_is_named(name: str, outcomes: dict[str, Any]) -> None:
    assert outcomes[name]["error"] in ("StoreError", "OutputError")
    assert REFUSALS[name] in outcomes[name]["says"]
