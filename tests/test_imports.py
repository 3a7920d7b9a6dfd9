"""Importing is inert, and the client needs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

CLIENT_MODULES = [
    "virnucpro_tasks.cli.main",
    *(f"virnucpro_tasks.cli.{name}" for name in
      ("submit", "status", "watch", "list_jobs", "results", "cancel", "resume", "remove", "predict", "worker",
       "flower", "doctor", "config", "models")),
    "virnucpro_tasks.queue.tasks",
    "virnucpro_workers.launch",
    "virnucpro_workers.devices",
]  # fmt: skip


@pytest.mark.parametrize("module", CLIENT_MODULES)
def test_import_loads_no_torch_opens_no_socket_and_logs_nothing(module: str) -> None:
    code = (
        "import sys, socket, logging\n"
        "def refuse(*a, **k): raise SystemExit('network at import')\n"
        "socket.socket.connect = refuse\n"
        f"import {module}\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
        "assert 'transformers' not in sys.modules, 'transformers'\n"
        "assert not logging.getLogger().handlers, 'logging'\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_a_worker_that_loads_its_models_does_not_load_the_compiler_of_torch() -> None:
    # Two seconds at the start of every worker, for an operation on the meta device.
    code = (
        "import sys\n"
        "from virnucpro_tasks.steps.embedding import prepare_engine\n"
        "from virnucpro_tasks.settings import Settings\n"
        "prepare_engine(Settings(bundle='demo'))\n"
        "assert 'torch' in sys.modules\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
