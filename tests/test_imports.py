"""Importing is inert, and the client needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from job import SAMPLE

CLIENT_MODULES = [
    "virnucpro_tasks.cli.main",
    *(f"virnucpro_tasks.cli.{name}" for name in
      ("submit", "status", "watch", "list_jobs", "results", "cancel", "resume", "remove", "predict", "worker",
       "flower", "doctor", "config", "models", "bench", "chaos", "train", "evaluate", "live_line", "report")),
    "virnucpro_tasks.queue.tasks",
    "virnucpro_workers.launch",
    "virnucpro_tasks.system.devices",
]  # fmt: skip

WITHOUT_REDIS = ["--help", "--version", "config show", "results --help", "models list"]
"""Commands that need neither Redis nor Celery."""

WITHOUT_NUMPY = ["status --help", "watch --help", "cancel --help"]
"""Commands that read no sequence and print no table."""


@pytest.fixture(scope="module")
def complaints() -> dict[str, str]:
    """What is wrong with importing each module, by its name."""
    script = Path(__file__).with_name("import_each.py")
    arguments = [sys.executable, script, *CLIENT_MODULES]
    return json.loads(subprocess.run(arguments, stdout=subprocess.PIPE, timeout=300, check=True).stdout)


@pytest.mark.parametrize("module", CLIENT_MODULES)
def test_import_loads_no_torch_opens_no_socket_and_logs_nothing(complaints: dict[str, str], module: str) -> None:
    assert complaints[module] == ""


@pytest.mark.parametrize("arguments", [*WITHOUT_REDIS, *WITHOUT_NUMPY, "submit --help", "predict --help"])
def test_a_command_starts_without_the_packages_it_does_not_need(arguments: str) -> None:
    code = (
        "import sys\n"
        "from virnucpro_tasks.cli.main import main\n"
        f"sys.argv = ['virnucpro', *{arguments.split()}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    loaded = {name.split(".")[0] for name in result.stderr.split()}
    heavy = {"torch", "pandas", "pyarrow", "transformers", "rich"}
    heavy |= {"celery", "kombu", "redis"} if arguments in WITHOUT_REDIS else set()
    heavy |= {"numpy"} if arguments in WITHOUT_NUMPY else set()
    assert loaded & heavy == set()


def test_a_worker_that_loads_its_models_does_not_load_the_compiler_of_torch() -> None:
    # Two seconds at the start of every worker, for an operation on the meta device.
    code = (
        "import sys\n"
        "from virnucpro_tasks.pipeline.embed_shard import ShardWorker\n"
        "from virnucpro_tasks.settings import Settings\n"
        "ShardWorker(Settings(bundle='demo')).engine()\n"
        "assert 'torch' in sys.modules\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr


def test_a_first_shard_waits_for_no_import(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import virnucpro_tasks.queue.tasks\n"
        "from virnucpro_tasks.pipeline.without_pandas import settle_without_pandas\n"
        "settle_without_pandas()\n"
        "from pathlib import Path\n"
        "from virnucpro_tasks.reads.batches import ReadInput, frame_batches\n"
        "from virnucpro_tasks.shards.cut import cut_shards\n"
        "from virnucpro_tasks.shards.tables import read_table, write_shard\n"
        "batches = frame_batches([ReadInput(Path(sys.argv[1]), 'x')], chunk_length=500, min_length=0, strict=False)\n"
        "frames, chunks = Path(sys.argv[2], 'frames'), Path(sys.argv[2], 'chunks')\n"
        "before = set(sys.modules)\n"
        "write_shard(next(iter(cut_shards(batches, first_budget=50_000))), frames=frames, chunks=chunks)\n"
        "assert read_table(frames).num_rows and read_table(chunks).num_rows\n"
        "print(*sorted({name for name in set(sys.modules) - before if name.split('.')[0] != 'pyarrow'}))\n"
        "assert 'pyarrow.dataset' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    arguments = [sys.executable, "-c", code, str(SAMPLE), str(tmp_path)]
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""
