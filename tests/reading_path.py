"""Counts the modules that a reader visits who follows the calls of a task.

Each function is followed once, at its first call. Calls one after the other from one module into another are one visit;
a return is a visit to a module that was visited before. Modules that hold names or tools (NOT_FOLLOWED), and whatever
lies below a package that has a story of its own (CLOSED), are left out.

    python tests/reading_path.py
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOT_FOLLOWED = frozenset({"errors", "settings", "paths", "keys"})
CLOSED = ("embed/", "reads/", "classifier/", "models/", "output/", "report/")
"""Packages whose functions are visited, but whose own calls are not followed; of output/ write_results is."""

OPEN_MODULES = frozenset({"output/results"})


@dataclass(frozen=True, slots=True)
class Visit:
    """A reader goes from one module into another, for some of its functions."""

    caller: str
    module: str
    functions: tuple[str, ...]


def visits_of(function: Callable[[], object]) -> list[Visit]:
    """Run `function` and return the visits in order."""
    modules = {
        str(file): str(file.relative_to(package).with_suffix(""))
        for package in (ROOT / "virnucpro_tasks", ROOT / "workers" / "virnucpro_workers")
        for file in package.rglob("*.py")
    }
    followed: set[tuple[str, str]] = set()
    stack: list[tuple[FrameType, str, bool]] = []
    visits: list[Visit] = []

    def enter(frame: FrameType, module: str) -> None:
        caller, is_read = (stack[-1][1], stack[-1][2]) if stack else ("", True)
        name = frame.f_code.co_name
        is_new = name.startswith("<") or (module, name) not in followed
        if not is_read or not is_new or module in NOT_FOLLOWED or module.startswith("system/"):
            stack.append((frame, module, False))
            return
        followed.add((module, name))
        if caller not in ("", module):
            last = visits[-1] if visits else None
            if last is not None and (last.caller, last.module) == (caller, module):
                visits[-1] = replace(last, functions=(*last.functions, name))
            else:
                visits.append(Visit(caller, module, (name,)))
        stack.append((frame, module, module in OPEN_MODULES or not module.startswith(CLOSED)))

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and (module := modules.get(frame.f_code.co_filename)) is not None:
            enter(frame, module)
        elif event == "return" and stack and stack[-1][0] is frame:
            stack.pop()

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return visits


def paths_of_tasks(url: str, folder: Path) -> dict[str, list[Visit]]:
    """The visits of embedding a shard, from its task to its vectors, and of finishing, from its task to the tables."""
    from job import SAMPLE, make_job, worker_of

    import virnucpro_tasks.queue.tasks  # noqa: F401
    from virnucpro_tasks.pipeline.score_in_background import THREAD_NAME
    from virnucpro_tasks.pipeline.split import split_files
    from virnucpro_tasks.queue.app import make_app
    from virnucpro_tasks.settings import Settings

    settings = Settings(store=folder, bundle="demo", broker_url=url)
    app = make_app(settings)
    app.shard_worker = worker_of(settings)
    app.shard_worker.engine()
    job = make_job(settings, SAMPLE)
    (shard,) = split_files(job)
    shard_visits = visits_of(lambda: app.tasks["virnucpro.embed_shard"](job.job_id, shard))
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join()
    finish_visits = visits_of(lambda: app.tasks["virnucpro.finish_job"](job.job_id))
    assert job.paths.run.exists()
    app.close()
    return {"shard": shard_visits, "finish": finish_visits}


def main() -> None:
    sys.path[:0] = [str(ROOT), str(ROOT / "workers"), str(ROOT / "tests")]
    from virnucpro_tasks.broker import EmbeddedBroker

    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        for name, visits in paths_of_tasks(broker.url, Path(folder)).items():
            modules = Counter(visit.module for visit in visits)
            most = max(modules.values())
            print(f"{name}: {len(modules)} modules, {len(visits) - len(modules)} returns, at most {most} visits to one")
            for visit in visits:
                print(f"    {visit.caller} → {visit.module}: {', '.join(visit.functions)}")


if __name__ == "__main__":
    main()
