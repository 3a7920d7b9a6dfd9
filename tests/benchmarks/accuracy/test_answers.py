from __future__ import annotations

import numpy as np

from benchmarks.accuracy.answers import Answers
from benchmarks.accuracy.cut import Contig
from benchmarks.accuracy.tool_scores import ToolScores


def test_contigs_that_a_tool_does_not_name_have_no_score_and_are_called_other(contigs: list[Contig]) -> None:
    first, second = contigs[0].contig_id, contigs[1].contig_id
    told = Answers.of(contigs, ToolScores({first: 0.7, "another": 1.0}, {second: True}, {first: 0.1}, "a score"))
    assert told.scores[0] == 0.7 and np.isnan(told.scores[1:]).all()
    assert told.calls.tolist() == [False, True, *[False] * (len(contigs) - 2)]
    assert told.fdr[0] == 0.1 and np.isnan(told.fdr[1:]).all()
    assert told.virus.tolist() == [contig.source.virus for contig in contigs]
    chosen = np.arange(len(contigs)) % 2 == 1
    part = told.part(chosen)
    assert part.virus.all() and part.calls[0] and len(part.contigs) == len(contigs) // 2
    records = part.records()
    assert records.groups == [contig.source.group for contig in contigs[1::2]] and records.score_column == "a score"
    assert records.lengths.tolist() == [len(contig.sequence) for contig in contigs[1::2]]
