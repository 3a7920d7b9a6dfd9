"""Results of one job for all tests of a process, with ids that do harm where they are not escaped."""

from __future__ import annotations

from pathlib import Path

import pytest
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.jobs.output_options import output_options
from virnucpro_tasks.settings import Settings

PREFIX = "S1_"

HOSTILE_IDS = (
    b"<script>document.title='harm'</script>",
    b"<img/src=x/onerror=document.title='harm'>",
    b"</script><script>document.title='harm'</script>",
    b"\"onmouseover=\"document.title='harm'",
    b"javascript:document.title='harm'",
    b"{{7*7}}&amp;&lt;",
    b"=HYPERLINK(1)",
    "\u2028\u202egnp.exe".encode(),
    b"\xff\xfe\x00\x1b[31m",
    b"L" * 10_000,
)


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the short sample, whose first sequences are there again under HOSTILE_IDS, and of no sequence."""
    folder = tmp_path_factory.mktemp("report")
    records = [record.partition(b"\n")[2] for record in SAMPLE.read_bytes().split(b">")[1:]]
    hostile = [b">%s\n%s" % pair for pair in zip(HOSTILE_IDS, records, strict=False)]
    reads = folder / "reads & <b>more.fasta"
    reads.write_bytes(SAMPLE.read_bytes() + b"".join(hostile) + b">short\nACGT\n")
    settings = Settings(store=folder / "store", bundle="demo")
    job = make_job(settings, reads, outputs=output_options(prefix=PREFIX))
    run_job(job, settings)
    return job.paths.results
