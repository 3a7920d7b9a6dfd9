"""Loads the models of a bundle onto the device of this process."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.pipeline.fp8_check import fp8_check
from virnucpro_tasks.settings import Settings

if TYPE_CHECKING:
    from virnucpro_tasks.embed.engine import Engine

log = logging.getLogger(__name__)


def device_name() -> str:
    """The device of this process, as torch writes it."""
    return "cuda" if os.environ.get("CUDA_VISIBLE_DEVICES") else "cpu"


def load_engine(settings: Settings, precision: str) -> Engine:
    """Load the models of the settings' bundle: onto the GPU that CUDA_VISIBLE_DEVICES names, else for the CPU.

    Raises BundleError or BackendError.
    """
    # Imported here: torch must load in the process that owns the device, never in its parent.
    from virnucpro_tasks.embed.backends import FP8_ATTENTION
    from virnucpro_tasks.embed.engine import Engine, EngineOptions

    bundle = locate_bundle(settings.bundle)
    device = device_name()
    engine = Engine.load(
        bundle,
        EngineOptions(
            device=device,
            precision=precision,
            attention=settings.attention,
            token_budget=settings.token_budget,
            threads=settings.cpu_threads,
        ),
        check=fp8_check(bundle) if precision in FP8_ATTENTION else None,
    )
    log.info(
        "device=%s bundle=%s precision=%s attention=%s token_budget=%s",
        *(device, bundle.digest[:12], precision, engine.attention, engine.token_budget),
    )
    return engine
