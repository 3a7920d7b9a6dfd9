"""Runs a job from its submission to the copies of its results under each of several faults of the file system.

    SHIM_ROOT=FOLDER LD_PRELOAD=shim.so python one_job_each.py FOLDER FAULT...

prints a line of JSON for each fault, as the shim reads it: the digests of the copied files, or the error. The models
are loaded once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "workers"), str(ROOT / "tests")]

from job import SAMPLE, embed, finish_files, make_job  # noqa: E402

from virnucpro_tasks.cli.results import copy_embeddings, copy_results  # noqa: E402
from virnucpro_tasks.errors import VirnucproError  # noqa: E402
from virnucpro_tasks.jobs.deduplicate import deduplicate  # noqa: E402
from virnucpro_tasks.jobs.job import remove_job  # noqa: E402
from virnucpro_tasks.jobs.progress import JobState, job_progress  # noqa: E402
from virnucpro_tasks.jobs.store_id import store_id  # noqa: E402
from virnucpro_tasks.output.tables import TIMED_FILES  # noqa: E402
from virnucpro_tasks.pipeline.split import split_files  # noqa: E402
from virnucpro_tasks.settings import Settings  # noqa: E402


def one_job(folder: Path) -> None:
    """Run a job in `folder`, copy its results and vectors there, and remove it."""
    settings = Settings(store=folder / "store", bundle="demo", shard_tokens=1_500)
    # As the command is given in its folder: the report names the input so.
    reads = Path("reads.fasta")
    assert store_id(settings.store) == store_id(settings.store)
    job = deduplicate(settings.store, make_job(settings, reads, keep_embeddings=True)).job
    assert deduplicate(settings.store, make_job(settings, reads, keep_embeddings=True)).job.job_id == job.job_id
    for shard in split_files(job):
        assert embed(job, shard, settings) == "embedded"
    missing = finish_files(job)
    assert missing == [], missing
    progress = job_progress(job)
    assert progress.state == JobState.DONE, progress
    copy_embeddings(job, folder / "vectors")
    copy_results(job, folder / "out", force=True)
    remove_job(job, force=True)


def outcome(folder: Path, fault: str) -> dict[str, Any]:
    os.chdir(folder)
    os.environ["SHIM"] = fault
    try:
        one_job(folder)
    except VirnucproError as error:
        return {"error": type(error).__name__, "says": str(error)}
    except Exception as error:
        logging.exception("under %s", fault)
        return {"error": type(error).__name__, "says": f"unexpected: {error}"}
    finally:
        os.environ["SHIM"] = ""
    files = [file for place in ("out", "vectors") for file in (folder / place).iterdir()]
    files = [file for file in files if file.name not in ("run.json", *TIMED_FILES)]
    return {"files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}}


def main() -> None:
    """Run a job for each fault."""
    folder = Path(sys.argv[1])
    for number, fault in enumerate(sys.argv[2:]):
        place = folder / str(number)
        # It may be there, as a mount.
        place.mkdir(exist_ok=True)
        if not (place / "reads.fasta").exists():
            shutil.copyfile(SAMPLE, place / "reads.fasta")
        print(json.dumps({"fault": fault} | outcome(place, fault)), flush=True)


if __name__ == "__main__":
    main()
