"""Children import from where their parent imports packages, and from nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile import AT_START, COMPUTING, FOREIGN_VARIABLES, IMPORTED, SHADOWS, fill, python_variables, user_site

from virnucpro_tasks.settings import Settings, load_settings
from virnucpro_tasks.system import isolation
from virnucpro_tasks.system.isolation import (
    child_environment,
    forget_foreign_variables,
    import_folders,
    import_installed,
    isolated_command,
    own_folders,
)
from virnucpro_tasks.system.processes import ordered_process_map
from virnucpro_tasks.system.start_module import COLLECTION_THRESHOLD


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder and all that PYTHON* variables name are full of modules that leave a mark; none may."""
    mark, path, base = tmp_path / "mark", tmp_path / "path", tmp_path / "user"
    for place in (tmp_path / "current", path, user_site(base)):
        fill(place, *SHADOWS, *AT_START, *COMPUTING)
        (place / "foreign.pth").write_text(f"import os; open({str(mark)!r}, 'a').write('pth')\n")
    monkeypatch.chdir(tmp_path / "current")
    variables = python_variables(path) | {"PYTHONPATH": str(path), "PYTHONUSERBASE": str(base), "MARK": str(mark)}
    # With these no interpreter starts that obeys them.
    for name, value in (
        variables | {"PYTHONHOME": str(path), "PYTHONPLATLIBDIR": "none", "PYTHONINSPECT": "1"}
    ).items():
        monkeypatch.setenv(name, value)
    yield tmp_path
    assert not mark.exists()


@pytest.fixture
def run_isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Run code as a module beside this package; returns the lines that it prints."""

    def run(code: str) -> list[str]:
        folder = tmp_path / "beside"
        folder.mkdir()
        (folder / "probe.py").write_text(code)
        folders = [*own_folders(), str(folder)]
        monkeypatch.setattr(isolation, "own_folders", lambda: folders)
        command = isolated_command("probe", "--flag")
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


def test_a_child_imports_nothing_of_the_current_folder_or_of_variables(
    hostile: Path, run_isolated: Callable[[str], list[str]]
) -> None:
    code = f"import {', '.join(IMPORTED)}, virnucpro_workers.process, sys\n"
    assert run_isolated(code + "print(*sys.argv[1:], sys.flags.optimize)") == ["--flag 0"]


def test_a_child_looks_for_garbage_less_often(run_isolated: Callable[[str], list[str]]) -> None:
    assert run_isolated("import gc; print(gc.isenabled(), gc.get_threshold()[0])") == [f"True {COLLECTION_THRESHOLD}"]


def test_a_module_runs_as_by_python_m() -> None:
    done = subprocess.run(isolated_command("virnucpro_workers", "--help"), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: python -m virnucpro_workers")


def test_its_own_packages_come_after_the_standard_library_and_before_all_others(
    run_isolated: Callable[[str], list[str]],
) -> None:
    folders = import_folders()
    assert folders[: len(own_folders())] == own_folders()
    path = run_isolated("import sys; print(*sys.path, sep='\\n')")
    places = [path.index(folder) for folder in own_folders()]
    assert places == sorted(places)
    standard = [place for place, folder in enumerate(path) if folder.endswith("lib-dynload")]
    assert standard[0] < places[0] < next(place for place, name in enumerate(path) if name.endswith("-packages"))


def test_folders_with_installed_packages_count_and_folders_of_modules_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, scripts, current = (tmp_path / name for name in ("target", "scripts", "current"))
    for folder in (target / "six-1.17.0.dist-info", scripts, current / "six-1.17.0.dist-info"):
        folder.mkdir(parents=True)
    (scripts / "random.py").write_text("")
    monkeypatch.chdir(current)
    monkeypatch.setattr(sys, "path", ["", str(current), str(scripts), str(target), str(tmp_path / "gone"), *sys.path])
    assert import_folders()[: len(own_folders()) + 1] == [*own_folders(), str(target)]
    assert str(scripts) not in import_folders() and str(current) not in import_folders()


def test_a_command_imports_a_package_from_where_it_is_installed(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hostile, "pynvml", "shop")
    monkeypatch.syspath_prepend(hostile)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    found = import_installed("pynvml")
    assert found.__file__ is not None
    assert Path(found.__file__).parent != hostile
    assert import_installed("pynvml") is found
    with pytest.raises(ImportError, match="no module named shop is installed"):
        import_installed("shop")


def test_processes_that_are_spawned_are_isolated_too(hostile: Path) -> None:
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    before = dict(os.environ)
    try:
        (found,) = ordered_process_map(import_randomly, [1], processes=1)
    finally:
        ends.set()
        thread.join()
    assert Path(found).is_relative_to(Path(os.__file__).parent)
    assert dict(os.environ) == before


def import_randomly(_: int) -> str:
    import random

    return str(random.__file__)


@pytest.mark.parametrize(
    "command",
    [
        *("virnucpro_tasks.cli.main config show", "virnucpro_tasks.cli.main models list"),
        *("virnucpro_workers --help", "virnucpro_workers.process --help", "virnucpro_workers.health --help"),
    ],
)
def test_a_command_run_as_a_module_leaves_the_current_folder_out(tmp_path: Path, command: str) -> None:
    fill(tmp_path, *set(SHADOWS) - {"virnucpro_workers"})
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["", *own_folders()]), "MARK": str(tmp_path / "mark")}
    run = [sys.executable, "-m", *command.split()]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "mark").exists()


def test_variables_of_others_reach_no_child_and_no_library() -> None:
    environment = FOREIGN_VARIABLES | {"HOME": "/home/u", "CUDA_VISIBLE_DEVICES": "1", "FLOWER_BASIC_AUTH": "u:p"}
    forget_foreign_variables(environment)
    assert set(environment) == {"HOME", "CUDA_VISIBLE_DEVICES", "FLOWER_BASIC_AUTH"}
    child = child_environment(
        Settings(), FOREIGN_VARIABLES | {"PYTHONPATH": "/x", "PYTHONUTF8": "1", "VIRNUCPRO_CONFIG": "f"}
    )
    assert {name for name in child if not name.startswith("VIRNUCPRO_")} == {"PYTHONUTF8"}
    assert "VIRNUCPRO_CONFIG" not in child


def test_a_child_has_the_settings_of_its_parent(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, cpu_threads=3, owner="ana")
    child = child_environment(settings, {"VIRNUCPRO_OWNER": "ben", "VIRNUCPRO_TRACEBACK": "1", "NO_COLOR": "please"})
    assert load_settings(environment=child) == settings
    assert (child["VIRNUCPRO_TRACEBACK"], child["NO_COLOR"]) == ("1", "1")


def test_the_broker_of_the_settings_is_used_whatever_variables_say() -> None:
    code = (
        "from virnucpro_tasks.system.isolation import forget_foreign_variables as forget; forget()\n"
        "from virnucpro_tasks.queue.app import make_app\n"
        "from virnucpro_tasks.settings import Settings\n"
        "app = make_app(Settings(broker_url='redis://ours:1/0'))\n"
        "assert 'ours' in app.connection_for_write().as_uri() and 'ours' in app.connection_for_read().as_uri()\n"
        "assert 'ours' in app.backend.as_uri(), app.backend.as_uri()\n"
        "app.loader.import_default_modules()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | FOREIGN_VARIABLES, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_celery_imports_tasks_without_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from virnucpro_tasks.queue.app import make_app

    (tmp_path / "module_of_the_current_folder.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError):
        make_app(Settings()).loader.import_task_module("module_of_the_current_folder")


def test_the_current_folder_may_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert import_folders()[:1] == own_folders()[:1]
