"""A web page of a look at a deployment: what needs a person, the jobs that are not over, the workers."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from virnucpro_tasks.errors import clock_text, counted, printable, size_text
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


def _now(job: OpenJob) -> str:
    """Say how many tasks of a job are under way, or why it does not get on."""
    if job.wait is not None:
        return job.wait.reason + ("" if job.wait.seconds is None else f" for {clock_text(job.wait.seconds)}")
    return f"{counted(len(job.running), 'task')} under way" if job.running else "waits"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "printable": printable,
        "size": size_text,
        "clock": clock_text,
        "now": _now,
        "share": share_done,
    }
    return environment.get_template("page.html")
