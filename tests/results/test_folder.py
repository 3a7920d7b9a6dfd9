"""Opening a folder of results: what it has, what it lacks, and what is damaged."""

from __future__ import annotations

import gc
import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.errors import DamagedError, InputError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.results import Results, open_results
from virnucpro_tasks.settings import Settings


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a job, in a store of its own; not to be changed."""
    return results_of(tmp_path_factory.mktemp("finished"), ReadInput(SAMPLE, "short.fasta"))


@pytest.fixture(scope="module")
def of_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a job with two samples."""
    folder = tmp_path_factory.mktemp("samples")
    entries = SAMPLE.read_text().split(">")[1:]
    for name, few in (("A", entries[:2]), ("B", entries[2:4])):
        (folder / f"{name}.fa").write_text("".join(f">{entry}" for entry in few))
    return results_of(folder, *(ReadInput(folder / f"{name}.fa", f"{name}.fa", sample=name) for name in "AB"))


def results_of(folder: Path, *inputs: ReadInput) -> Path:
    settings = Settings(store=folder / "store", bundle="demo")
    job: Job = make_job(settings, *inputs)  # type: ignore[arg-type]
    run_job(job, settings)
    return job.paths.results


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "out"))


def test_tables_and_the_report_go_together(finished: Path) -> None:
    results = open_results(str(finished))
    records, chunks, frames = results.records(), results.chunks(), results.frames()
    counts = results.run["counts"]
    assert len(records) == sum(counts["records"].values())
    assert (records["call"] == "virus").sum() == counts["virus_records"]
    assert records["chunks"].sum() == len(chunks)
    assert chunks["frames"].sum() == len(frames) == counts["frames_scored"]
    means = frames.groupby("record")["virus_score"].mean()
    scored = records.dropna(subset="call").set_index("record")["mean_viral_score"]
    assert abs(means - scored).max() < 1e-5
    assert list(results.chunks(columns=["end", "start"])) == ["end", "start"]
    results.verify()


def test_samples_have_results_of_their_own_and_the_whole_has_all(of_samples: Path) -> None:
    whole = open_results(of_samples)
    assert list(whole.samples) == ["A", "B"]
    alone = open_results(of_samples / "B")
    assert alone.path == of_samples / "B" and alone.samples == {}
    for found in (alone, whole.samples["B"]):
        assert len(found.records()) == 2
        assert "sample" not in found.frames()
    assert len(whole.records()) == 4 and set(whole.records()["sample"]) == {"A", "B"}
    frames = whole.frames()
    assert len(frames) == sum(len(one.frames()) for one in whole.samples.values())
    of_each = [record.id for one in whole.samples.values() for record in one.viral_records()]
    assert [record.id for record in whole.viral_records()] == of_each


def test_results_are_shown_with_their_warnings(finished: Path) -> None:
    results = open_results(finished)
    shown = repr(results)
    assert str(finished) in shown and results.summary in shown and "demonstration" in shown
    assert results.warnings and not results.is_incomplete


def test_the_prefix_is_found(copy: Path) -> None:
    run = json.loads((copy / "run.json").read_text())
    run["parameters"]["outputs"]["prefix"] = "S1_"
    (copy / "run.json").write_text(json.dumps(run))
    (copy / "S1_virus.fasta.gz").write_bytes(gzip.compress(b">a virus_score=1 chunks=1\nAC\n"))
    assert [record.id for record in open_results(copy).viral_records()] == ["a"]


def test_results_of_an_earlier_version_are_read(copy: Path) -> None:
    run = json.loads((copy / "run.json").read_text())
    del run["parameters"]["outputs"], run["times"]
    (copy / "run.json").write_text(json.dumps(run))
    table = (copy / "records.tsv").read_text().splitlines()
    (copy / "records.tsv").write_text("".join(line.rsplit("\t", 4)[0] + "\n" for line in table))
    assert "evidence" not in open_results(copy).records()


def test_what_is_no_finished_folder_of_results_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: there is no such folder"):
        open_results(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"there is no run\.json"):
        open_results(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DamagedError):
        open_results(tmp_path)


def test_results_without_scores_say_so(copy: Path) -> None:
    run = json.loads((copy / "run.json").read_text())
    run["sha256"] = {}
    (copy / "run.json").write_text(json.dumps(run))
    for read in (Results.records, Results.frames, Results.viral_records):
        with pytest.raises(InputError, match="the bundle has no head"):
            read(open_results(copy))


def test_a_changed_file_is_found(copy: Path) -> None:
    with (copy / "chunks.tsv").open("ab") as table:
        table.write(b"\n")
    results = open_results(copy)
    with pytest.raises(DamagedError, match=r"chunks\.tsv"):
        results.verify()
    (copy / "chunks.tsv").unlink()
    with pytest.raises(DamagedError, match=r"chunks\.tsv"):
        results.chunks()


def test_importing_the_package_loads_neither_pandas_nor_the_results() -> None:
    code = (
        "import sys, virnucpro_tasks\n"
        "assert {'classify', 'results'} <= set(dir(virnucpro_tasks))\n"
        "assert not {'pandas', 'pyarrow', 'msgspec', 'Bio'} & set(sys.modules)\n"
        "virnucpro_tasks.results.open_results, virnucpro_tasks.classify\n"
        "assert not {'pandas', 'torch', 'Bio', 'click'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_viral_sequences_are_those_of_the_input(finished: Path) -> None:
    results = open_results(finished)
    records = results.records()
    expected = records[records["call"] == "virus"]
    found = list(results.viral_records())
    assert [record.id for record in found] == expected["record_id"].tolist() != []
    assert [len(record) for record in found] == expected["length"].tolist()
    assert results.run["counts"]["sequences"] == len(found)
    text = SAMPLE.read_text()
    assert all(f">{record.description}\n" in text for record in found)


def test_sequences_keep_their_results_until_they_are_read(finished: Path) -> None:
    before = count_of_results()
    records = open_results(finished).viral_records()
    next(records)
    assert count_of_results() == before + 1
    del records
    assert count_of_results() == before


def count_of_results() -> int:
    gc.collect()
    return sum(type(one) is Results for one in gc.get_objects())
