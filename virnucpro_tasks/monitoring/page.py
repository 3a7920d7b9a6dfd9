"""A web page of a look at a deployment: what needs a person, the jobs that are not over, the workers."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from virnucpro_tasks.errors import printable, size_text
from virnucpro_tasks.jobs.progress import share_done
from virnucpro_tasks.monitoring.concerns import concerns
from virnucpro_tasks.monitoring.look import Look, OpenJob

HERE = Path(__file__).parent


def deployment_page(look: Look | None, *, every_seconds: float) -> str:
    """The page as HTML, which a browser loads again every `every_seconds`; without a look it says that one is made."""
    values: dict[str, Any] = {"look": look, "every_seconds": max(1, round(every_seconds))}
    if look is not None:
        moment = datetime.fromtimestamp(look.at, UTC)
        values |= {"moment": f"{moment:%Y-%m-%d %H:%M:%S} UTC", "concerns": list(concerns(look))}
    return _template().render(values)


def _state(job: OpenJob) -> str:
    """Say how many tasks of a job are under way, or why none is."""
    if job.wait is not None:
        return job.wait.reason
    return f"{len(job.running)} under way" if job.running else "waits"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "printable": printable,
        "size": size_text,
        "clock": _clock,
        "now": _state,
        "share": share_done,
    }
    return environment.get_template("page.html")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
