from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.system.files import as_store_error

LIMIT_BYTES = 4_096


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file of this process can grow beyond a limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def by_python(file: Path) -> None:
    file.write_bytes(bytes(3 * LIMIT_BYTES))


def by_arrow(file: Path) -> None:
    pq.write_table(pa.table({"numbers": np.arange(10 * LIMIT_BYTES)}), file)


def by_safetensors(file: Path) -> None:
    save_file({"numbers": np.zeros(10 * LIMIT_BYTES)}, file)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("write", [by_python, by_arrow, by_safetensors])
def test_whoever_writes_a_full_disk_is_known(tmp_path: Path, write) -> None:
    with pytest.raises(Exception) as raised:
        write(tmp_path / "file")
    failure = as_store_error(raised.value)
    assert failure is not None
    assert "File too large" in str(failure) and "ulimit -f" in str(failure)


def test_other_errors_are_not_the_stores(tmp_path: Path) -> None:
    assert as_store_error(FileNotFoundError(errno.ENOENT, "No such file")) is None
    assert as_store_error(OSError("Corrupt snappy compressed data.")) is None
    assert as_store_error(MemoryError()) is None
    said = StoreError("the store fails")
    assert as_store_error(said) is said
    assert "(/jobs/x)" in str(as_store_error(PermissionError(errno.EACCES, "Permission denied", "/jobs/x")))


def test_a_refused_thread_is_the_hosts_fault() -> None:
    failure = as_store_error(RuntimeError("can't start new thread"))
    assert failure is not None and "ulimit -u" in failure.what and "raise it" in failure.hint
    assert as_store_error(RuntimeError("unforeseen")) is None
