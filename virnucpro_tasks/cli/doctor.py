"""`virnucpro doctor`."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.broker import find_server
from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.leftovers import Leftover, find_leftovers, remove_leftovers
from virnucpro_tasks.cli.messages import print_json, print_text, say
from virnucpro_tasks.cli.options import PathType, bundle_option, deployment_options, json_option, settings_of
from virnucpro_tasks.errors import ExitCode, InputError, VirnucproError, counted
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.jobs.store_check import shortcomings
from virnucpro_tasks.keys import COORDINATOR_QUEUES, gpu_queue
from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.models.verification import verify_bundle
from virnucpro_tasks.queue.client import workers
from virnucpro_tasks.queue.redis_checks import check_durable, check_reachable, check_redis
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.files import write_bytes
from virnucpro_tasks.system.host import (
    available_cores,
    describe_processor,
    memory,
    processor_features,
    require_semaphores,
)

GIGABYTE = 1e9
PROGRAM = "virnucpro"
COMPAT_DISTRIBUTION = "virnucpro-compat"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str
    ok: bool
    detail: str


@click.command("doctor")
@click.argument("folders", nargs=-1, type=PathType(path_type=Path))
@click.option("--clean", is_flag=True, help="Check nothing; remove what killed runs of this user left.")
@deployment_options
@bundle_option
@json_option
@click.pass_context
def command(context: click.Context, /, *, folders: tuple[Path, ...], clean: bool, as_json: bool, **flags: Any) -> int:
    """Check packages, store, bundle, Redis and workers. Exits with 4 if a deployed job would miss something.

    Leftovers of killed runs are listed, and removed with --clean: in the temporary folders of this host, the store, the
    current folder, and FOLDERS, such as folders of results.
    """
    settings = settings_of(context, **flags)
    for folder in folders:
        if not folder.is_dir():
            raise InputError("no such folder", file=str(folder))
    if clean and flags["store"] is not None:
        require_store(settings.store)
    places = [settings.store, *_current_folder(), *folders]
    leftovers = find_leftovers(places)
    if clean:
        return _clean(places, leftovers, as_json=as_json)
    findings = [_checked(name, check, settings) for name, check in CHECKS.items()]
    findings.append(Finding("leftovers", True, _listed(leftovers)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else "MISSING"
            print_text(f"{mark}  {finding.check}: {finding.detail}", hanging=len(f"{mark}  "))
    missing = [finding.check for finding in findings if not finding.ok and finding.check not in ONE_SHOT_ONLY]
    return ExitCode.UNREACHABLE if missing else ExitCode.OK


def _clean(places: list[Path], leftovers: list[Leftover], *, as_json: bool) -> int:
    left = remove_leftovers(places, leftovers)
    removed = [leftover for leftover in leftovers if leftover not in left]
    if as_json:
        print_json({"removed": [str(one.path) for one in removed], "left": [str(one.path) for one in left]})
    else:
        for one in removed:
            print_text(f"removed  {one}")
        if not leftovers:
            click.echo("no leftovers of killed runs")
    for one in left:
        say(f"warning: {one} cannot be removed")
    return ExitCode.UNEXPECTED if left else ExitCode.OK


def _listed(leftovers: list[Leftover]) -> str:
    if not leftovers:
        return "none of killed runs"
    return f"{'; '.join(map(str, leftovers))}; 'virnucpro doctor --clean' removes them"


def _current_folder() -> list[Path]:
    with suppress(OSError):
        return [Path.cwd()]
    return []


def _checked(name: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(name, True, check(settings))
    except OSError as error:
        cause = cause_of(error, settings.store)
        hint = f" ({cause.advice})" if cause.advice else ""
        return Finding(name, False, f"{error.filename or settings.store}: {cause.words}{hint}")
    except VirnucproError as error:
        return Finding(name, False, str(error))


def _packages(_: Settings) -> str:
    found = [f"python {sys.version.split()[0]}"]
    for name in (
        "virnucpro-tasks",
        "celery",
        "kombu",
        "redis",
        "torch",
        "tokenizers",
        "flash-attn",
        "flower",
    ):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    if find_spec("torch") is None:
        found.append("client only")
    return ", ".join(found)


def _names(_: Settings) -> str:
    """Whether `virnucpro` is this program in the shell, and what else has that name in Python."""
    own = Path(sys.executable).parent / PROGRAM
    found = shutil.which(PROGRAM)
    if found is not None and exists(own) and not own.samefile(found):
        raise VirnucproError(
            f"'{PROGRAM}' in the shell is {found}, not {own}", hint=f"call {own} or {PROGRAM}-tasks, or change PATH"
        )
    package = _package_of_others()
    if package is not None:
        return f"the Python package {PROGRAM} is that of {package}, which 'python -m {PROGRAM}' runs"
    return f"'{PROGRAM}' is {found or 'not in PATH'}"


def _package_of_others() -> str | None:
    """Where the Python package of the short name is from; None if there is none, or it is the one that hands on."""
    with suppress(PackageNotFoundError):
        version(COMPAT_DISTRIBUTION)
        return None
    # Looked for, and not imported.
    spec = PathFinder.find_spec(PROGRAM)
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), "another folder")


def _host(_: Settings) -> str:
    require_semaphores()
    here = memory()
    room = "" if here is None else f", {here.free_bytes / GIGABYTE:.0f} of {here.limit_bytes / GIGABYTE:.0f} GB free"
    processor = describe_processor(processor_features(), platform.machine())
    return f"{counted(available_cores(), 'core')}{room}, {processor}"


def _store(settings: Settings) -> str:
    require_store(settings.store)
    probe = settings.store / ".doctor"
    write_bytes(probe, b"")
    # Another doctor may do the same.
    probe.unlink(missing_ok=True)
    free = shutil.disk_usage(settings.store).free / GIGABYTE
    return f"{settings.store} is writable, {free:.0f} GB free"


def _file_system(settings: Settings) -> str:
    require_store(settings.store)
    found = shortcomings(settings.store)
    return f"has {'; '.join(map(str, found))}" if found else "has all that a deployment uses"


def _bundle(settings: Settings) -> str:
    bundle = locate_bundle(settings.bundle)
    verify_bundle(bundle)
    return f"{bundle.description.label}, digest {bundle.digest[:12]}, all files as described"


def _server(_: Settings) -> str:
    return f"{find_server()} (used by 'virnucpro predict')"


def _redis(settings: Settings) -> str:
    app = app_of(settings)
    if not exists(settings.store):
        check_reachable(app)
        warning = check_durable(app, redis_check=settings.redis_check)
        return f"answers, {f'but {warning}' if warning else 'keeps its data'}"
    warning = check_redis(app)
    return f"answers, serves this store, but {warning}" if warning else "answers, serves this store, keeps its data"


def _workers(settings: Settings) -> str:
    found = workers(app_of(settings))
    wanted = {gpu_queue(locate_bundle(settings.bundle).digest), *(queue.name for queue in COORDINATOR_QUEUES)}
    missing = wanted - {queue for worker in found for queue in worker.queues}
    names = ", ".join(worker.name for worker in found) or "no worker answers"
    if missing:
        raise VirnucproError(
            f"{names}; no worker takes from {', '.join(sorted(missing))}", hint="start 'virnucpro worker'"
        )
    return names


CHECKS: dict[str, Callable[[Settings], str]] = {
    "packages": _packages,
    "names": _names,
    "host": _host,
    "store": _store,
    "file system of the store": _file_system,
    "bundle": _bundle,
    "embedded server": _server,
    "redis": _redis,
    "workers": _workers,
}
ONE_SHOT_ONLY = frozenset({"embedded server", "names"})
"""Checks of what only 'virnucpro predict' needs, or only whoever types a command."""
