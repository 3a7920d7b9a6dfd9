"""The command line of the benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy.cut import Lengths
from virnucpro_tasks.heads.cutoffs import DEFAULT_PREVALENCE

KINDS = Path(__file__).with_name("kinds.tsv")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The parser of the command line; `description` is shown above the options."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("fasta", nargs="+", type=Path, help="labelled sequences, FASTA or FASTQ, maybe compressed")
    add("--labels", type=Path, action="append", required=True, help="table with id, label, group, …; may be repeated")
    add("--output", type=Path, required=True, help="a new folder")
    add("--group", default="group", metavar="COLUMN", help="column of groups; records of one are alike")
    add("--group-without", default="", metavar="PATTERN", help="regular expression: what begins here is cut off groups")
    add("--taxon", default="taxon", metavar="COLUMN", help="column of taxa, from which kinds follow")
    add("--kinds", type=Path, default=KINDS, help="table with the columns taxon and kind")
    add("--whole", action="store_true", help="take the records as they are, as contigs")
    add("--lengths", nargs="+", type=_lengths, default=[Lengths.parse(text) for text in ("300-5000", "500")])
    add("--count", type=int, default=1_200, help="contigs of each of --lengths, half of them viral")
    add(
        "--viral-share",
        type=_share,
        default=0.5,
        help="share of viral contigs; a rate of false discoveries depends on it",
    )
    add("--seed", type=int, default=1)
    add("--genera", type=Path, help="judge these genera alone (a file, one a line)")
    add("--not-genera", type=Path, help="judge none of these genera, such as those that a bundle learnt from")
    add("--after", default="", metavar="DATE", help="judge records dated after this alone")
    add("--ours", action="append", default=[], metavar="NAME=ARGUMENTS", help="of virnucpro predict; may be repeated")
    add("--results", action="append", default=[], metavar="NAME=PROGRAM=PATH", help="results that are there already")
    add("--genomad-database", type=Path)
    add("--threads", type=int, default=2, help="for other tools")
    add("--no-baselines", action="store_true")
    add("--only-cut", action="store_true", help="write the contigs and stop")
    add("--prevalence", type=_share, default=DEFAULT_PREVALENCE, help="share of viruses for false discoveries")
    return found


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _lengths(text: str) -> Lengths:
    try:
        return Lengths.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
