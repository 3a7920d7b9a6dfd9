"""Records that kill, break, hang or spoil whoever embeds them: found one by one, and everything else is scored."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from service.deployment import Deployment

from virnucpro_tasks.broker import EmbeddedBroker

pytestmark = [pytest.mark.service, pytest.mark.slow]

FAULTS = Path(__file__).resolve().parent / "faults"
CODONS = {"exit": "TGG", "raise": "AAG", "hang": "CAG", "memory": "GAT", "nan": "TAT", "kill": "ACA"}
"""A run of the codon is a run of the letter that the fault listens to, in one frame only."""

RECORDS = 12
TABLES = ("records.tsv", "chunks.tsv", "prediction_results.txt", "prediction_results_highestscore.csv")


@pytest.fixture
def deployment(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    started = Deployment(tmp_path, broker.url)
    started.settings["PYTHONPATH"] = os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")]))
    yield started
    started.stop()


def reads_with(faults: dict[int, str], file: Path) -> Path:
    """RECORDS random reads; the numbers in `faults` carry a run of the codon of their fault."""
    made_up = random.Random(4)
    lines = []
    for number in range(RECORDS):
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


def run(deployment: Deployment, reads: Path, name: str, *, expect: int) -> Path:
    out = deployment.folder / name
    deployment.run("submit", str(reads), "--output", str(out), "--force-new", expect=expect, timeout=300)
    return out


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ({7: "exit"}, "2 attempts: its worker ended with status 7"),
        ({0: "kill", 11: "kill"}, "2 attempts: its worker was killed by SIGKILL"),
        ({5: "raise", 6: "raise", 9: "raise"}, "2 attempts: RuntimeError: this sequence cannot be embedded"),
        ({4: "memory"}, "2 attempts: MemoryError: no memory for this sequence"),
        ({3: "nan", 8: "nan"}, "esm2 gives NaN or infinity in FP32"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_the_records_at_fault_are_named_and_all_others_are_as_in_a_quiet_run(
    deployment: Deployment, faults: dict[int, str], reason: str, tmp_path: Path
) -> None:
    # Given a run in which nobody minds the records
    reads = reads_with(faults, tmp_path / "reads.fasta")
    deployment.settings["TEST_FAULTS"] = "none"
    supervisor = deployment.start_workers("cpu")
    quiet = run(deployment, reads, "quiet", expect=0)
    supervisor.terminate()
    supervisor.wait(30)
    # When they are poison
    deployment.settings["TEST_FAULTS"] = next(iter(faults.values()))
    deployment.start_workers("cpu,cpu")
    poisoned = run(deployment, reads, "poisoned", expect=6)
    # Then they alone have no score, and it says why
    names = {f"r{number}" for number in faults}
    with (poisoned / "records.tsv").open(newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    lost = {row["record_id"]: row["reason"] for row in rows if row["status"] == "quarantined"}
    assert lost == dict.fromkeys(names, reason)
    assert len(rows) == RECORDS
    # And every other byte is that of the quiet run
    assert rows_without(poisoned, names) == rows_without(quiet, names)
    (record,) = deployment.store.glob("jobs/*/quarantine/000000.json")
    content = json.loads(record.read_bytes())
    assert {entry["record_id"] for entry in content["records"]} == names
    # With at most three attempts at the whole shard
    starts = [entry["step"] for entry in content["attempts"] if "limit_seconds" in entry]
    assert starts.count("whole") <= 3
    assert len(starts) <= 3 + 2 + 4 * len(faults) * RECORDS.bit_length()


def test_a_record_that_never_ends_is_found_too(deployment: Deployment, tmp_path: Path) -> None:
    reads = reads_with({8: "hang"}, tmp_path / "reads.fasta")
    deployment.settings |= {"TEST_FAULTS": "hang", "VIRNUCPRO_SHARD_TIME_LIMIT_SECONDS": "4"}
    deployment.settings["VIRNUCPRO_MAX_ATTEMPTS"] = "1"
    deployment.start_workers("cpu")
    out = run(deployment, reads, "out", expect=6)
    with (out / "records.tsv").open(newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    lost = {row["record_id"]: row["reason"] for row in rows if row["status"] != "scored"}
    assert lost == {"r8": "2 attempts: no result within 4 s"}
