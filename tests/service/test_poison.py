"""Records that kill, break, hang or spoil whoever embeds them: found one by one, and everything else is scored."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from service.deployment import Deployment, fault_variables

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import job_ids

pytestmark = [pytest.mark.service, pytest.mark.slow]

CODONS = {"exit": "TGG", "raise": "AAG", "hang": "CAG", "memory": "GAT", "nan": "TAT", "kill": "ACA"}
"""A run of the codon is a run of the letter that the fault listens to, in one frame only."""

RECORDS = 8
POISON = {0: "raise", 1: "nan", 2: "memory", 4: "raise", 5: "exit", 6: "nan", 7: "raise"}
"""The records with the codon of a fault; most of them do no harm, as one kind of fault is at work at a time."""

HANG_SECONDS = 5
TABLES = ("records.tsv", "chunks.tsv", "prediction_results.txt", "prediction_results_highestscore.csv")


@dataclass(frozen=True)
class Poisoned:
    """Workers that suffer from the faults named in the file `active`, and what they made of `reads` without any."""

    deployment: Deployment
    active: Path
    reads: Path
    quiet: Path

    def run(self, reads: Path, fault: str, *, attempts: int) -> tuple[Path, dict[str, str]]:
        """Submit while `fault` is at work; returns the results, and the reason of each record without a score."""
        self.active.write_text(fault)
        out = self.deployment.folder / f"{fault}-{reads.stem}"
        client = replace(self.deployment, settings={"VIRNUCPRO_MAX_ATTEMPTS": str(attempts)})
        client.run("submit", str(reads), "--output", str(out), "--force-new", expect=6, timeout=300)
        with (out / "records.tsv").open(newline="") as table:
            rows = list(csv.DictReader(table, delimiter="\t"))
        assert {row["status"] for row in rows} == {"scored", "quarantined"}
        return out, {row["record_id"]: row["reason"] for row in rows if row["status"] == "quarantined"}

    def quarantine(self) -> dict[str, object]:
        """What the newest job has noted of its shard."""
        jobs = [self.deployment.store / "jobs" / job_id for job_id in job_ids(self.deployment.store)]
        job = max(jobs, key=lambda folder: (folder / "job.json").stat().st_mtime_ns)
        return json.loads((job / "quarantine" / "000000.json").read_bytes())


@pytest.fixture(scope="module")
def poisoned(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Poisoned]:
    folder = tmp_path_factory.mktemp("poison")
    active, reads, quiet = folder / "active", reads_with(POISON, folder / "reads.fasta"), folder / "quiet"
    active.write_text("none")
    settings = fault_variables(str(active)) | {"VIRNUCPRO_SHARD_TIME_LIMIT_SECONDS": str(HANG_SECONDS)}
    with EmbeddedBroker(server=server) as broker, Deployment(folder, broker.url, settings=settings) as deployment:
        deployment.start_workers("cpu")
        deployment.run("submit", str(reads), "--output", str(quiet))
        yield Poisoned(deployment, active, reads, quiet)


def reads_with(faults: dict[int, str], file: Path, *, records: int = RECORDS) -> Path:
    """Random reads; the numbers in `faults` carry a run of the codon of their fault."""
    made_up = random.Random(4)
    lines = []
    for number in range(records):
        codons = "".join(made_up.choice(["GCT", "GGT", "CTG", "ACC", "GTT"]) for _ in range(60))
        run = CODONS[faults[number]] * 9 if number in faults else "GCT" * 9
        lines.append(f">r{number}\n{codons[:90]}{run}{codons[90:]}\n")
    file.write_text("".join(lines))
    return file


def rows_without(results: Path, names: set[str]) -> dict[str, list[bytes]]:
    """The lines of every table but those about the records `names`."""
    starts = tuple(f"{name}{end}".encode() for name in names for end in ("\t", "_chunk"))
    return {
        table: [line for line in (results / table).read_bytes().splitlines() if not line.startswith(starts)]
        for table in TABLES
    }


@pytest.mark.parametrize(
    ("fault", "attempts", "reason"),
    [
        ("exit", 2, "2 attempts: its worker ended with status 7"),
        ("raise", 3, "2 attempts: RuntimeError: this sequence cannot be embedded"),
        ("memory", 1, "2 attempts: MemoryError: no memory for this sequence"),
        ("nan", 3, "esm2 gives NaN or infinity in FP32"),
    ],
)
def test_the_records_at_fault_are_named_and_all_others_are_as_in_a_quiet_run(
    poisoned: Poisoned, fault: str, attempts: int, reason: str
) -> None:
    results, lost = poisoned.run(poisoned.reads, fault, attempts=attempts)
    # Then the records at fault alone have no score, and it says why
    names = {f"r{number}" for number, kind in POISON.items() if kind == fault}
    assert lost == dict.fromkeys(names, reason)
    # And every other byte is that of the quiet run
    assert rows_without(results, names) == rows_without(poisoned.quiet, names)
    content = poisoned.quarantine()
    assert {entry["record_id"] for entry in content["records"]} == names
    # With at most so many attempts at the whole shard
    starts = [entry["probe"] for entry in content["attempts"] if entry["event"] == "began"]
    assert starts.count("whole") <= attempts
    assert len(starts) <= attempts + 2 + 4 * len(names) * RECORDS.bit_length()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("kill", "its worker was killed by SIGKILL"), ("hang", f"no result within {HANG_SECONDS} s")],
)
def test_one_that_is_killed_and_one_that_never_ends_are_found_too(
    poisoned: Poisoned, fault: str, reason: str, tmp_path: Path
) -> None:
    reads = reads_with({1: fault}, tmp_path / "reads.fasta", records=2)
    _, lost = poisoned.run(reads, fault, attempts=1)
    assert lost == {"r1": f"2 attempts: {reason}"}


def test_an_input_that_kills_whoever_splits_it_ends_the_job(poisoned: Poisoned, tmp_path: Path) -> None:
    reads = reads_with({}, tmp_path / "reads.fasta")
    deployment = poisoned.deployment
    poisoned.active.write_text("split")
    job_id = deployment.run("submit", str(reads)).strip()
    deployment.run("watch", job_id, expect=5)
    message = deployment.json("status", job_id)["message"]
    assert message == "splitting was given up after 3 attempts: its worker ended with status 7"
    # And when what killed it is gone, it can be resumed
    poisoned.active.write_text("none")
    deployment.run("resume", job_id)
    deployment.run("watch", job_id)
