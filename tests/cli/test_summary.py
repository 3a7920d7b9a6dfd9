from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.terminal import run_on_terminal
from output.tables import Chunk, shard_of, write

from virnucpro_tasks.cli.summary import ID_CHARACTERS, cut_id, say_summary, summary_lines
from virnucpro_tasks.jobs.progress import RunReport
from virnucpro_tasks.output.counts import STRONGEST_KEPT, ResultCounts
from virnucpro_tasks.output.evidence import Evidence
from virnucpro_tasks.system.files import decode

CONTENT: dict[str, Any] = {
    "exit_code": 0,
    "summary": "14 records: …",
    "warnings": [],
    "problems": [],
    "counts": {
        "records": {"invalid": 0, "quarantined": 0, "scored": 13, "no_open_frame": 1},
        "chunks": {"scored": 140, "no_open_frame": 208},
        "virus_records": 4,
        "bases": 171_533,
        "virus_bases": 34_819,
        "virus_evidence": {"high": 3, "medium": 0, "low": 1},
    },
    "strongest": [
        {"record_id": "NC_004830.2", "length": 10_140, "virus_score": 0.956959, "evidence": "high"},
        {"record_id": "NC_001422.1" * 5, "length": 386, "virus_score": 0.7, "evidence": "low"},
    ],
    "sha256": {"records.tsv": ""},
    "times": {"seconds": 86.0, "workers": [{"device": "cpu"}, {"device": "NVIDIA H200"}, {"device": "NVIDIA H200"}]},
}


def report(**changed: Any) -> RunReport:
    return decode(CONTENT | changed, RunReport, path=Path("run.json"))


def test_the_summary_says_what_was_found_how_sure_it_is_and_what_was_not_answered(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    lines = [" ".join(line.split()) for line in summary_lines(report(), tmp_path)]
    assert lines[0] == "viral 4 of 14 records, 34,819 of 171,533 bases (20%)"
    assert lines[1] == "strongest NC_004830.2 10,140 bases score 0.957 high evidence"
    assert lines[3].startswith("doubtful 1 of them on low evidence: fewer than 2 scored chunks")
    assert lines[4].startswith("unanswered 208 of 348 chunks (60%) without an open frame: ")
    assert lines[5] == "computed on cpu, 2 × NVIDIA H200 in 1:26 from submission, 1,995 bases/s"
    assert lines[6] == f"report {tmp_path / 'report.html'}"


@pytest.mark.parametrize(("differing", "words"), [(0, "all agree"), (2, "2 differ")])
def test_vectors_of_an_earlier_tool_are_told_apart_by_their_proof(differing: int, words: str, tmp_path: Path) -> None:
    found = report(engine={"imported": 1_200, "compared": 90, "differing": differing, "tokens": 5})
    (line,) = (" ".join(line.split()) for line in summary_lines(found, tmp_path) if line.startswith("imported"))
    taken = "imported 1,200 vectors of an earlier tool, taken on the proof of their sequences"
    assert line == f"{taken}; 90 more were computed anew to compare: {words}"
    assert not any(line.startswith("imported") for line in summary_lines(report(), tmp_path))


def test_chunks_scored_by_segments_are_told_apart(tmp_path: Path) -> None:
    def lines_of(chunks: dict[str, int]) -> list[str]:
        found = report(counts=CONTENT["counts"] | {"chunks": chunks}, parameters={"coverage": "segments"})
        return [" ".join(line.split()) for line in summary_lines(found, tmp_path)]

    lines = lines_of({"scored": 140, "no_open_frame": 110, "partial_frame": 98})
    assert "segments 98 chunks without an open frame scored by the longest segment" in lines
    (unanswered,) = (line for line in lines if line.startswith("unanswered"))
    assert unanswered.startswith("unanswered 110 of 348 chunks (32%) without an open frame or a segment: ")
    without_any = lines_of({"scored": 140, "no_open_frame": 208})
    assert not any(line.startswith("segments") for line in without_any)
    assert any(" 208 of 348 chunks (60%) without an open frame or a segment: " in line for line in without_any)


@pytest.mark.parametrize(
    ("places", "options", "text"),
    [
        (["virus.fasta.gz"], {}, "{folder}/virus.fasta.gz"),
        (["S1_virus.fasta.gz"], {"prefix": "S1_"}, "{folder}/S1_virus.fasta.gz"),
        (["a/virus.fasta.gz", "b/virus.fasta.gz"], {}, "virus.fasta.gz in the folder of each sample"),
        (
            ["virus.fasta.gz"],
            {"cutoffs": {"min_score": 0.7, "min_length": 500, "min_scored_fraction": 0.5}},
            "{folder}/virus.fasta.gz: those with at least a score of 0.7, 500 bases, 50% of the bases scored",
        ),
        (
            ["virus.fasta.gz"],
            {"cutoffs": {"min_score": 0}},
            "{folder}/virus.fasta.gz: those with at least a score of 0",
        ),
    ],
)
def test_it_says_where_the_sequences_are_and_with_which_cutoffs(
    tmp_path: Path, places: list[str], options: dict[str, Any], text: str
) -> None:
    found = report(sha256=dict.fromkeys(["records.tsv", *places], ""), parameters={"outputs": options})
    lines = [" ".join(line.split()) for line in summary_lines(found, tmp_path)]
    assert lines[-1] == f"sequences {text}".format(folder=tmp_path)


def test_it_says_how_many_sequences_there_are(tmp_path: Path) -> None:
    found = report(sha256={"records.tsv": "", "virus.fasta.gz": ""}, counts=CONTENT["counts"] | {"sequences": 3})
    assert " ".join(summary_lines(found, tmp_path)[-1].split()) == f"sequences 3 records in {tmp_path}/virus.fasta.gz"


def test_a_share_of_nearly_all_bases_is_not_all(tmp_path: Path) -> None:
    counts = CONTENT["counts"] | {"bases": 10_000, "virus_bases": 9_985}
    assert summary_lines(report(counts=counts), tmp_path)[0].endswith("9,985 of 10,000 bases (>99%)")


@pytest.mark.parametrize(
    ("fdr", "line", "cutoffs"),
    [
        (
            {"refusal": "", "prior": 0.0523, "prior_is": "estimated"},
            "rates of false discoveries, for 0.0523 of the records being viral, estimated from the scores",
            ": those up to a false-discovery rate of 0.1",
        ),
        (
            {"refusal": "", "prior": 0.5, "prior_is": "given"},
            "rates of false discoveries, for 0.5 of the records being viral, as --prior says",
            ": those up to a false-discovery rate of 0.1",
        ),
        ({"refusal": "too few", "prior": None, "prior_is": None}, "rates of false discoveries: none, too few", ""),
    ],
)
def test_it_says_for_which_share_rates_are_or_why_there_are_none(
    tmp_path: Path, fdr: dict[str, Any], line: str, cutoffs: str
) -> None:
    found = report(fdr=fdr, sha256={"records.tsv": "", "virus.fasta.gz": ""})
    lines = [" ".join(text.split()) for text in summary_lines(found, tmp_path)]
    assert lines[3] == line
    assert lines[-1] == f"sequences {tmp_path / 'virus.fasta.gz'}{cutoffs}"


def test_what_there_is_not_has_no_line(tmp_path: Path) -> None:
    counts = CONTENT["counts"] | {"virus_records": 0, "virus_bases": 0, "virus_evidence": {}, "chunks": {"scored": 9}}
    found = summary_lines(report(counts=counts, strongest=[]), tmp_path)
    assert [line.split()[0] for line in found] == ["viral", "computed"]


def test_results_of_earlier_versions_and_without_calls_have_no_summary(tmp_path: Path) -> None:
    counts = {"records": {"invalid": 0, "quarantined": 0}, "chunks": {}, "virus_records": 4}
    assert summary_lines(report(counts=counts), tmp_path) == []
    assert summary_lines(report(sha256={}), tmp_path) == []


def test_it_is_silent_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    say_summary(report(), tmp_path, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_a_long_id_keeps_its_beginning_and_its_end() -> None:
    cut = cut_id("begin" + "x" * 100 + "end")
    assert len(cut) == ID_CHARACTERS and cut.startswith("begin") and cut.endswith("end")
    assert cut_id("\x1b[31m") == "\\x1b[31m"


def test_it_fits_into_a_terminal_of_80_columns() -> None:
    code = (
        "from pathlib import Path\n"
        "from virnucpro_tasks.cli.summary import say_summary\n"
        "from virnucpro_tasks.jobs.progress import RunReport\n"
        "from virnucpro_tasks.system.files import decode\n"
        f"say_summary(decode({CONTENT!r}, RunReport, path=Path()), Path('/nowhere'))\n"
    )
    lines = run_on_terminal(code, columns=80).splitlines()
    assert max(map(len, lines)) < 80
    assert all(line.startswith(" " * 12) or line[:12].split() for line in lines)


def test_the_strongest_are_those_of_high_evidence_then_of_high_scores_however_they_are_cut(tmp_path: Path) -> None:
    chunks = [
        Chunk(record, b"r%d" % record, chunk, 500 * chunk - 500, 500 * chunk, 500 * size, virus=[score])
        for record, (size, score) in enumerate([(1, 0.99), (5, 0.6), (5, 0.7), (2, 0.8), (5, 0.7), (1, 0.2), (1, 0.9)])
        for chunk in range(1, size + 1)
    ]
    found = [
        write(tmp_path / str(cut), shard_of(chunks[:cut]), shard_of(chunks[cut:])) for cut in range(1, len(chunks))
    ]
    assert [hit.record_id for hit in found[0].strongest] == ["r2", "r4", "r1", "r3", "r0"]
    assert len(found[0].strongest) == STRONGEST_KEPT
    assert found[0].virus_evidence == {Evidence.HIGH: 3, Evidence.MEDIUM: 1, Evidence.LOW: 2}
    assert (found[0].bases, found[0].virus_bases) == (10_000, 9_500)
    assert all(one == found[0] for one in found)
    assert ResultCounts.total(replace(one) for one in found[:1]) == found[0]
