from __future__ import annotations

import pytest

from benchmarks.accuracy.cut import Lengths
from benchmarks.accuracy.options import KINDS, parser
from benchmarks.accuracy.sources import read_kinds

NEEDED = ["x.fasta", "--labels", "l.tsv", "--output", "out"]


def test_what_is_taken_without_options() -> None:
    options = parser(None).parse_args(NEEDED)
    assert options.lengths == [Lengths("300-5000", 300, 5_000), Lengths("500", 500, 500)]
    assert (options.count, options.seed, options.viral_share, options.prevalence) == (1_200, 1, 0.5, 0.05)
    kinds = read_kinds(KINDS)
    assert (kinds["Caudoviricetes"], kinds["Bacteria"], kinds["Flaviviridae"]) == (
        "phage",
        "bacteria",
        "eukaryotic virus",
    )


@pytest.mark.parametrize(
    "more", [("--lengths", "5k"), ("--viral-share", "1"), ("--prevalence", "nan"), ("--prevalence", "few")]
)
def test_numbers_that_are_none_are_refused(more: tuple[str, str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        parser(None).parse_args([*NEEDED, *more])
    assert ended.value.code == 2 and more[1] in capsys.readouterr().err
