from __future__ import annotations

import re
from pathlib import Path

from benchmarks.accuracy.answers import Answers
from benchmarks.accuracy.cut import Contig
from benchmarks.accuracy.measures import rows
from benchmarks.accuracy.picture import write_picture
from benchmarks.accuracy.tool_scores import ToolScores


def test_lengths_and_kinds_with_enough_contigs_are_drawn(tmp_path: Path, contigs: list[Contig]) -> None:
    scores = {contig.contig_id: 0.9 if contig.source.virus else 0.2 for contig in contigs}
    answers = {
        "mine": Answers.of(contigs, ToolScores(scores, {})),
        "silent": Answers.of(contigs, ToolScores({}, {})),
    }
    write_picture(tmp_path / "p.svg", list(rows(contigs, answers, prevalence=0.05, seed=1)), answers)
    # Matplotlib keeps each text in a comment beside its outlines.
    shown = [text.strip() for text in re.findall(r"<!--(.*?)-->", (tmp_path / "p.svg").read_text(), re.DOTALL)]
    assert {"mine", "silent", "by length (bases)", "by kind (all contigs)"} <= set(shown)
    assert any(text.startswith("phage") for text in shown) and {"400", "300-1200"} <= set(shown)
    assert not any("archaeal virus" in text for text in shown)
