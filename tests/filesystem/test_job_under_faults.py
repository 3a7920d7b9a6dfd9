"""A job gives the same files whatever its file system lacks or lies about, or it says why it cannot be done."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filesystem.shims import build_shim, faulty

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("one_job_each.py")

NONE = "none"
LACKS = [
    *(f"noflock={number}" for number in (errno.ENOLCK, errno.ENOSYS)),
    *(f"nofsync={number}" for number in (errno.EINVAL, errno.EBADF)),
    *(f"nodirsync={errno.EINVAL}", f"nochmod={errno.EPERM}"),
    *(f"nolink={number}" for number in (errno.EACCES, errno.EPERM, errno.EINVAL, errno.EXDEV)),
    *("noutime", "nosymlink", "nofcntl", "noappend", "nommap", "norenameover"),
]
LIES = [
    *("hidden=2", "unseen", "stale=13", "stale=50"),
    *(f"renamefails={number}" for number in (errno.EBUSY, errno.ESTALE)),
    "renamelost",
]
TOGETHER = "noflock,nofsync,nodirsync,nochmod,nolink,noutime,noappend,nommap,hidden=2,unseen,stale=50"
REFUSALS = {
    "noinodes": "No space left on device: all inodes are in use, though bytes are free",
    "quota=3000": "Disk quota exceeded for user ",
    "quota=200000": "Disk quota exceeded for user ",
    "readonly": "Read-only file system",
    f"nofsync={errno.EIO}": "Input/output error",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of a job under each fault."""
    folder = tmp_path_factory.mktemp("faults")
    library = build_shim(tmp_path_factory.mktemp("shim"))
    faults = [NONE, *LACKS, *LIES, TOGETHER, *REFUSALS]
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), *faults],
        env=os.environ | faulty(library, folder),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    return {outcome["fault"]: outcome for outcome in found}


@pytest.mark.parametrize("fault", [*LACKS, *LIES, TOGETHER])
def test_a_job_does_without_it_and_gives_the_same_files(fault: str, outcomes: dict[str, Any]) -> None:
    assert {"records.tsv", "chunks.tsv", "000000.safetensors"} < outcomes[NONE]["files"].keys()
    assert outcomes[fault].get("files", outcomes[fault]) == outcomes[NONE]["files"]


@pytest.mark.parametrize("fault", REFUSALS)
def test_what_cannot_be_done_without_is_told_by_its_cause(fault: str, outcomes: dict[str, Any]) -> None:
    assert outcomes[fault]["error"] == "StoreError"
    assert REFUSALS[fault] in outcomes[fault]["says"]
