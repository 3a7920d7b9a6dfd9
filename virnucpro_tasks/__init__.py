"""VirNucPro as a task queue: reads → shards → embed → classifier → output.

For use from Python: `classify` runs a job on this host, `results` opens the results of any.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virnucpro_tasks import results
    from virnucpro_tasks.classification import classify

__version__ = "0.11.0"
__all__ = ["__version__", "classify", "results"]


def __getattr__(name: str) -> Any:
    # When it is asked for: the command line imports this package, and needs neither.
    if name == "classify":
        return import_module("virnucpro_tasks.classification").classify
    if name == "results":
        return import_module("virnucpro_tasks.results")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
