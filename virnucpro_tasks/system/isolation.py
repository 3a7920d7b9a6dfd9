"""Commands and environments of child processes that no file or variable of others can change.

A child imports from the standard library, from the folders of this package and of installed packages that its parent
imports from, and from site-packages: never from the current folder, and not by a PYTHON* variable. Variables by which
Celery, kombu, billiard or Flower would do something else than their caller says are taken away from it.
"""

from __future__ import annotations

import os
import re
import site
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType

from virnucpro_tasks.settings import ENVIRONMENT_PREFIX, TRACEBACK_VARIABLE, Settings
from virnucpro_tasks.system import start_module

WORKERS_PACKAGE = "virnucpro_workers"

HARMLESS_PYTHON_VARIABLES = frozenset(
    {
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONFAULTHANDLER",
        "PYTHONHASHSEED",
        "PYTHONIOENCODING",
        "PYTHONNOUSERSITE",
        "PYTHONSAFEPATH",
        "PYTHONUNBUFFERED",
        "PYTHONUTF8",
    }
)
"""Variables of Python that change nothing of what is imported or run."""

_FOREIGN = re.compile(
    # Celery, kombu and billiard. APP, BROKER_URL, CONFIG_MODULE, LOADER, RESULT_BACKEND and SKIP_CHECKS are read by
    # the command line of Celery, which runs a worker and Flower.
    r"CELERY_.*|CELERYD_.*|CELERYBEAT_.*|KOMBU_.*|celery_dummy_proxy"
    r"|APP|BROKER_URL|CONFIG_MODULE|LOADER|RESULT_BACKEND|SKIP_CHECKS"
    r"|C_(BENCH.*|FAKEFORK|FORCE_ROOT|IMPDEBUG|REMDEBUG|STRICT_APP|WARN_APP|WNOCONF)"
    r"|AUTOSCALE_KEEPALIVE|DISABLE_TRACEBACKS|EVENTLET_NOBLOCK|NOSETPS|PICKLE_PROTOCOL|TIMER_DEBUG|USE_FAST_LOCALS"
    r"|FORKED_BY_MULTIPROCESSING|MP_LOG|MP_MAIN_FILE|_MP_FORK_.*|MULTIPROCESSING_FORKING_DISABLE|REMAP_SIG.*"
    r"|DJANGO_SETTINGS_MODULE|DJANGO_PROJECT_DIR"
    # The client library of the metrics in Flower would write them to files.
    r"|PROMETHEUS_MULTIPROC_DIR|prometheus_multiproc_dir"
)

_INSTALLED = (".dist-info", ".egg-info")


def isolated_command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs `module` as `python -m` does, isolated from the current folder.

    Only those flags of this interpreter are kept that change no import: no byte code on disk, and UTF-8 mode.
    """
    flags = ["-I", "-X", f"utf8={sys.flags.utf8_mode}", *(["-B"] if sys.dont_write_bytecode else [])]
    folders = [word for folder in import_folders() for word in ("--path", folder)]
    return [sys.executable, *flags, start_module.__file__, *folders, module, *arguments]


def import_folders() -> list[str]:
    """Return the folders besides the standard library and site-packages that an isolated child needs.

    They are those of this package, and those of `sys.path` into which packages were installed, as by `pip install
    --target` or `--user`. Modules that just lie in a folder of PYTHONPATH are left out, and so is the current folder.
    """
    known = {*site.getsitepackages(), *filter(None, [_current_folder()])}
    installed = [folder for folder in sys.path if folder and folder not in known and _has_installed_packages(folder)]
    own = [folder for folder in own_folders() if folder not in site.getsitepackages()]
    return list(dict.fromkeys([*own, *installed]))


def import_installed(name: str) -> ModuleType:
    """Import the module `name` from where an isolated child would, whatever else lies in a folder of PYTHONPATH.

    Raises ImportError if it is not there.
    """
    if (loaded := sys.modules.get(name)) is not None:
        return loaded
    if name in sys.modules:
        raise ImportError(f"{name} may not be imported", name=name)
    spec = PathFinder.find_spec(name, [*import_folders(), *site.getsitepackages()])
    if spec is None or spec.loader is None:
        raise ImportError(f"no module named {name} is installed", name=name)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def own_folders() -> list[str]:
    """Return the folders from which `virnucpro_tasks` and `virnucpro_workers` are imported."""
    root = Path(__file__).resolve().parents[2]
    for folder in (root, root / "workers"):  # installed, and in a source tree
        if (folder / WORKERS_PACKAGE).is_dir():
            return list(dict.fromkeys([str(root), str(folder)]))
    spec = find_spec(WORKERS_PACKAGE)
    return [str(root), *([str(Path(spec.origin).parents[1])] if spec and spec.origin else [])]


def child_environment(settings: Settings, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child: that of this process without what is not for it, and with `settings`.

    Not for it are the variables of others, those of Python that change imports, and all VIRNUCPRO_* variables, which
    `settings` replace: so a child neither reads a settings file nor warns of a variable once more.
    """
    base = os.environ if environment is None else environment
    kept = {
        name: value
        for name, value in base.items()
        if not (_is_foreign(name) or _changes_imports(name) or name.startswith(ENVIRONMENT_PREFIX))
        or name == TRACEBACK_VARIABLE
    }
    if kept.get("NO_COLOR"):
        kept["NO_COLOR"] = "1"  # Celery takes it for a truth value, and ends at any other word
    return kept | settings.environment()


def forget_foreign_variables(environment: MutableMapping[str, str] | None = None) -> None:
    """Remove the variables of others from the environment of this process; to be called before Celery is imported."""
    environment = os.environ if environment is None else environment
    for name in [name for name in environment if _is_foreign(name)]:
        del environment[name]
    if environment.get("NO_COLOR"):
        environment["NO_COLOR"] = "1"


@contextmanager
def isolated_spawn() -> Iterator[None]:
    """In the block, processes that `multiprocessing` spawns start without the current folder and variables of Python.

    They import from the folders of `sys.path` of this process as soon as they run.
    """
    if sys.flags.isolated:  # `multiprocessing` hands that on
        yield
        return
    removed = {name: os.environ.pop(name) for name in [*os.environ] if _changes_imports(name)}
    added = {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.update(removed)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _is_foreign(name: str) -> bool:
    return _FOREIGN.fullmatch(name) is not None


def _changes_imports(name: str) -> bool:
    return name.startswith("PYTHON") and name not in HARMLESS_PYTHON_VARIABLES


def _has_installed_packages(folder: str) -> bool:
    try:
        return any(entry.suffix in _INSTALLED for entry in Path(folder).iterdir())
    except OSError:
        return False


def _current_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None
