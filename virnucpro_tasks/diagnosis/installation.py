"""Checks of this host: packages, names, limits, GPUs, the bundle, the server of one-shot runs."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from virnucpro_tasks.broker import find_server
from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Outcome, Status
from virnucpro_tasks.errors import counted, size_text
from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.models.verification import verify_bundle
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.gpu_facts import driver_version, gpu_facts
from virnucpro_tasks.system.gpus import list_gpus
from virnucpro_tasks.system.host import (
    available_cores,
    describe_processor,
    memory,
    processor_features,
    require_semaphores,
)

PROGRAM = "virnucpro"
COMPAT_DISTRIBUTION = "virnucpro-compat"
PACKAGES = ("virnucpro-tasks", "celery", "kombu", "redis", "torch", "tokenizers", "flash-attn", "flower")
DRIVER_ADVICE = "see 'nvidia-smi': install or load the NVIDIA driver, restart the host after its update"


def check_packages(_: Deployment) -> Outcome:
    """The versions of what is installed."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    texts = [f"{name} {found.get(name, 'absent')}" for name in ("python", *PACKAGES)]
    if find_spec("torch") is None:
        texts.append("client only")
    return Outcome(", ".join(texts), values={"versions": found})


def check_names(_: Deployment) -> Outcome:
    """Whether `virnucpro` is this program in the shell, and what else has that name in Python."""
    own = Path(sys.executable).parent / PROGRAM
    found = shutil.which(PROGRAM)
    if found is not None and exists(own) and not own.samefile(found):
        return Outcome(
            f"'{PROGRAM}' in the shell is {found}, not {own}",
            Status.FAILED,
            f"call {own} or {PROGRAM}-tasks, or change PATH",
        )
    package = _package_of_others()
    if package is not None:
        return Outcome(f"the Python package {PROGRAM} is that of {package}, which 'python -m {PROGRAM}' runs")
    return Outcome(f"'{PROGRAM}' is {found or 'not in PATH'}")


def _package_of_others() -> str | None:
    """Find the place of the Python package of the short name; None if there is none, or it is the one that hands on."""
    with suppress(PackageNotFoundError):
        version(COMPAT_DISTRIBUTION)
        return None
    # Looked for, and not imported.
    spec = PathFinder.find_spec(PROGRAM)
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), "another folder")


def check_host(_: Deployment) -> Outcome:
    """Cores, memory and processor. Raises LimitError."""
    require_semaphores()
    here, cores = memory(), available_cores()
    room = "" if here is None else f", {size_text(here.free_bytes)} of {size_text(here.limit_bytes)} free"
    processor = describe_processor(processor_features(), platform.machine())
    values = {"cores": cores} | ({} if here is None else {"memory_free_bytes": here.free_bytes})
    return Outcome(f"{counted(cores, 'core')}{room}, {processor}", values=values)


def check_gpus(_: Deployment) -> Outcome:
    """The GPUs of this host and their driver; a host of clients and coordinators needs none."""
    faults: list[str] = []
    gpus = list_gpus(say=faults.append)
    if gpus is None:
        return Outcome(
            "there is a GPU, and nothing here to ask its driver",
            Status.WARNING,
            "install the extra 'worker' (nvidia-ml-py) on hosts of GPU workers",
        )
    driver = driver_version() if gpus else ""
    facts = gpu_facts(gpus, mask=os.environ.get("CUDA_VISIBLE_DEVICES"))
    texts = [
        f"{gpu.index}: {gpu.name}"
        + ("" if gpu.free_bytes is None or gpu.total_bytes is None else f", {size_text(gpu.free_bytes)} free")
        + ("" if gpu.is_visible else ", not in CUDA_VISIBLE_DEVICES")
        for gpu in facts
    ]
    values = {"driver": driver, "gpus": [gpu.name for gpu in facts]}
    detail = "; ".join([*texts, *([f"driver {driver}"] if driver else []), *faults]) or "none on this host"
    return Outcome(detail, Status.WARNING if faults else Status.OK, DRIVER_ADVICE if faults else "", values)


def check_bundle(deployment: Deployment) -> Outcome:
    """Whether the bundle is whole. Raises BundleError or SettingsError."""
    bundle = locate_bundle(deployment.settings.bundle)
    verify_bundle(bundle)
    return Outcome(
        f"{bundle.description.label}, digest {bundle.digest[:12]}, all files as described",
        values={"digest": bundle.digest},
    )


def check_server(_: Deployment) -> Outcome:
    """The server program of 'virnucpro predict'. Raises BrokerError."""
    return Outcome(f"{find_server()} (used by 'virnucpro predict')")
