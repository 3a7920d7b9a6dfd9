"""The arrows between packages point one way, tasks are thin, and no file outgrows a sitting."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "virnucpro_tasks"
WORKERS = ROOT / "workers" / "virnucpro_workers"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *WORKERS.rglob("*.py")])

MOST_LINES = 400
MOST_TASK_LINES = 15

SAID_ONCE = {"build", "errors", "settings", "paths", "keys", "system"}
MAY_IMPORT = {
    "system": {"errors", "settings", "system"},
    "reads": SAID_ONCE | {"reads"},
    "shards": SAID_ONCE | {"shards", "reads"},
    "models": SAID_ONCE | {"models"},
    "embed": SAID_ONCE | {"embed", "models", "shards"},
    "classifier": SAID_ONCE | {"classifier", "models"},
    "reference": SAID_ONCE | {"reference"},
    "jobs": SAID_ONCE | {"jobs", "classifier", "models", "reads", "shards"},
    "recovery": SAID_ONCE | {"recovery", "jobs", "reads", "shards"},
    "earlier": SAID_ONCE | {"earlier", "models", "reads", "shards", "jobs"},
    "heads": SAID_ONCE | {"heads", "classifier", "models", "shards", "jobs"},
    "output": SAID_ONCE | {"output", "classifier", "reads", "shards", "models", "jobs"},
    "report": SAID_ONCE | {"report", "output", "reads", "models", "jobs"},
    "results": SAID_ONCE | {"results", "output", "reads", "models", "jobs"},
    "pipeline": SAID_ONCE
    | {"pipeline", "recovery", "output", "report", "classifier", "embed", "models", "reads", "shards", "jobs"},
}
"""What each package of the core may import of ours: nothing of the queue, the command line or the workers."""

ROOMS_ABOVE_MAY_IMPORT = {
    "queue": SAID_ONCE | {"queue", "broker_url", "jobs", "pipeline", "recovery"},
    "diagnosis": SAID_ONCE | {"diagnosis", "broker", "jobs", "models", "queue"},
    "monitoring": SAID_ONCE | {"monitoring", "jobs", "queue", "recovery", "shards"},
    "chaos": SAID_ONCE | {"chaos", "broker", "jobs", "local_workers", "queue"},
}
"""What the packages above the core may import of ours: nothing of the command line or the workers."""

TORCH_FILES = {
    *("bench.py", "parity.py", "models/convert.py", "models/pickled.py", "models/weights.py"),
    "models/legacy_pickle.py",
    *("reference/dnabert_s.py", "reference/esm2.py", "reference/head.py", "reference/tensors.py"),
}
"""Files outside embed/ that import torch at their top; the client imports none."""


@cache
def nodes_of(file: Path) -> list[ast.AST]:
    """The syntax tree of `file`: the module itself first."""
    return [*ast.walk(ast.parse(file.read_text()))]


def _is_module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


@cache
def imports_of(file: Path, *, top_only: bool = False) -> tuple[str, ...]:
    """Names of the modules that `file` imports."""
    module, *inner = nodes_of(file)
    assert isinstance(module, ast.Module)
    found: list[str] = []
    for node in module.body if top_only else inner:
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from virnucpro_tasks import cli` imports a module too.
            parts = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == PACKAGE.name else []
            found += [node.module, *(part for part in parts if _is_module(part))]
    return tuple(found)


def test_a_module_is_seen_however_it_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "imports.py"
    file.write_text(
        "from virnucpro_tasks import __version__, cli\nfrom virnucpro_tasks.reads import frames\nimport a.b\n"
    )
    assert imports_of(file) == ("virnucpro_tasks", "virnucpro_tasks.cli", "virnucpro_tasks.reads", "a.b")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_the_core_imports_only_what_lies_below(package: str) -> None:
    for file in (PACKAGE / package).rglob("*.py"):
        ours = {name.split(".")[1] for name in imports_of(file) if name.startswith("virnucpro_tasks.")}
        assert ours <= MAY_IMPORT[package], file.name
        assert not any(name.split(".")[0] in ("celery", "kombu", "redis", "click") for name in imports_of(file))


@pytest.mark.parametrize("package", ROOMS_ABOVE_MAY_IMPORT)
def test_the_rooms_above_import_only_what_lies_below(package: str) -> None:
    for file in (PACKAGE / package).rglob("*.py"):
        ours = {name.split(".")[1] for name in imports_of(file) if name.startswith("virnucpro_tasks.")}
        assert ours <= ROOMS_ABOVE_MAY_IMPORT[package], file.name


@pytest.mark.parametrize("module", ["keys", "errors", "build"])
def test_what_is_said_once_imports_nothing_of_ours(module: str) -> None:
    assert not any(name.startswith("virnucpro_tasks.") for name in imports_of(PACKAGE / f"{module}.py"))


def test_the_package_does_not_import_the_workers() -> None:
    assert not any(name.startswith("virnucpro_workers") for file in PACKAGE.rglob("*.py") for name in imports_of(file))


def test_the_workers_know_no_biology() -> None:
    biology = {f"virnucpro_tasks.{name}" for name in ("reads", "shards", "classifier", "output", "embed")}
    for file in WORKERS.rglob("*.py"):
        assert not any(".".join(name.split(".")[:2]) in biology for name in imports_of(file)), file.name


def test_the_command_line_runs_no_task() -> None:
    steps = ("virnucpro_tasks.queue.tasks", "virnucpro_tasks.pipeline")
    for file in (PACKAGE / "cli").rglob("*.py"):
        assert not any(name.startswith(steps) for name in imports_of(file)), file.name


def test_torch_is_imported_by_the_engine_and_by_conversion_alone() -> None:
    found = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "torch" for name in imports_of(file, top_only=True))
    }
    assert {name for name in found if not name.startswith("embed/")} == TORCH_FILES


def test_tasks_are_thin() -> None:
    tree = ast.parse((PACKAGE / "queue" / "tasks.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert {"split_job", "embed_shard", "finish_job"} <= {node.name for node in functions}
    for node in functions:
        assert (node.end_lineno or 0) - node.lineno < MOST_TASK_LINES, node.name


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_file_is_read_in_one_sitting(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MOST_LINES


def test_there_are_no_circular_imports() -> None:
    modules = {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for root in (ROOT, ROOT / "workers")
        for file in SOURCES
        if file.is_relative_to(root) and (root == ROOT) == file.is_relative_to(PACKAGE)
    }
    below = {
        name: {other for other in imports_of(file, top_only=True) if other in modules} for name, file in modules.items()
    }
    while free := [name for name, others in below.items() if not others]:
        for name in free:
            del below[name]
        for others in below.values():
            others.difference_update(free)
    assert below == {}


def test_private_parts_of_celery_and_kombu_are_used_in_one_file_only() -> None:
    undocumented = {"do_restore", "qos", "restore_by_tag", "task_ready", "unacked_index_key", "STOP_CONDITIONS"}
    for file in set(SOURCES) - {WORKERS / "consumer" / "kombu_internals.py"}:
        nodes = nodes_of(file)
        attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
        imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not undocumented & (imported | {node.attr for node in attributes}), file
        own = {node.attr for node in attributes if isinstance(node.ctx, ast.Store)} | {
            name.id if isinstance(name, ast.Name) else name.name
            for node in nodes
            if isinstance(node, ast.ClassDef)
            for part in node.body
            for name in ([part.target] if isinstance(part, ast.AnnAssign) else [part])
            if isinstance(name, ast.Name | ast.FunctionDef)
        }
        # os._exit, and the _replace and _fields of named tuples, are documented.
        private = {node.attr for node in attributes if node.attr.startswith("_") and not node.attr.startswith("__")}
        assert private <= own | {"_exit", "_replace", "_fields"}, (file, private - own)
