from __future__ import annotations

from pathlib import Path

import numpy as np

from virnucpro_tasks.heads.strands import reverse_complement, strand_differences, write_reverse_complements


def test_the_other_strand() -> None:
    assert reverse_complement(b"AACGTN") == b"NACGTT"
    assert reverse_complement(b"RYKMSWBDHVN") == b"NBDHVWSKMRY"
    everything = b"ACGTRYKMSWBDHVN"
    assert reverse_complement(reverse_complement(everything)) == everything


def test_records_are_written_in_order(tmp_path: Path) -> None:
    write_reverse_complements(tmp_path / "x.fasta", ["a", "b"], [b"AAC", b"GGGT"])
    assert (tmp_path / "x.fasta").read_bytes() == b">a\nGTT\n>b\nACCC\n"


def test_differences_counted_by_hand() -> None:
    forward = np.array([0.9, 0.4, 0.6, 0.2, np.nan, np.nan])
    reverse = np.array([0.8, 0.6, 0.6, np.nan, 0.3, np.nan])
    assert strand_differences(forward, reverse) == {
        "records": 6,
        "scored_on_both": 3,
        "scored_on_one": 2,
        "calls_that_differ": 1,
        "mean_difference": 0.1,
        "difference_95_percent": 0.19,
        "largest_difference": 0.2,
    }
    nothing = strand_differences(np.array([np.nan]), np.array([0.5]))
    assert nothing["largest_difference"] is None and nothing["scored_on_one"] == 1
