"""Compares tools that tell viral contigs from others, on contigs cut from labelled genomes.

    python -m benchmarks.accuracy viruses.fasta others.fasta --labels labels.tsv --output FOLDER

Writes contigs.fasta and contigs.tsv, accuracy.tsv and accuracy.md (a row for each tool and part), false_discoveries.tsv
and accuracy.svg. The same arguments and files give the same contigs. See README.md here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.answers import Answers
from benchmarks.accuracy.claims import ESTIMATES, OWN, PREVALENCES, claim, own_claim
from benchmarks.accuracy.cut import Contig, cut_contigs, whole_records, write_contigs
from benchmarks.accuracy.measures import rows
from benchmarks.accuracy.options import parser
from benchmarks.accuracy.parts import ALL, PAIRS
from benchmarks.accuracy.picture import write_picture
from benchmarks.accuracy.sources import Columns, Source, read_kinds, read_sources
from benchmarks.accuracy.splits import judged
from benchmarks.accuracy.table import markdown, write_tsv
from benchmarks.accuracy.tool_scores import ToolScores
from benchmarks.accuracy.tools import READERS, Tool, other_tools, our_tools
from virnucpro_tasks.errors import InputError, OutputError, VirnucproError
from virnucpro_tasks.heads.baselines import LONGEST_OPEN_FRAME, baseline_scores
from virnucpro_tasks.heads.metrics import THRESHOLD

OURS = {"demonstration": "--bundle demo"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns an exit code of `virnucpro`."""
    options = parser(__doc__).parse_args(arguments)
    try:
        _run(options)
    except VirnucproError as error:
        print(f"accuracy: error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.output.exists():
        raise OutputError(f"{options.output} is there already", hint="choose another folder")
    told = _told(options.results)
    tools = _tools(options)
    columns = Columns(options.group, options.taxon, options.group_without)
    sources = read_sources(options.fasta, options.labels, columns, read_kinds(options.kinds))
    sources = judged(
        sources,
        genera=_lines(options.genera) if options.genera else None,
        not_genera=_lines(options.not_genera) if options.not_genera else (),
        after=options.after,
    )
    contigs = whole_records(sources) if options.whole else list(_cut(sources, options))
    options.output.mkdir(parents=True)
    fasta, _ = write_contigs(options.output, contigs)
    print(f"{len(contigs)} contigs of {len({contig.source.group for contig in contigs})} groups in {fasta}")
    if options.only_cut:
        return
    answers = {name: Answers.of(contigs, scores) for name, scores in told.items()}
    for tool in tools:
        if isinstance(tool, Tool):
            print(f"running {tool.name}", file=sys.stderr)
            answers[tool.name] = Answers.of(contigs, tool.run(fasta, options.output / "tools" / tool.name))
    if not options.no_baselines:
        answers |= _baselines(contigs, seed=options.seed)
    measured = list(rows(contigs, answers, prevalence=options.prevalence, seed=options.seed))
    claims = _claims(contigs, answers, seed=options.seed)
    left_out = [tool for tool in tools if isinstance(tool, str)]
    _write(options.output, measured, claims, answers, left_out)
    print(markdown([row for row in measured if row["part"] in (ALL, *PAIRS)]), *left_out, sep="\nLeft out: ")


def _cut(sources: Sequence[Source], options: argparse.Namespace) -> Iterator[Contig]:
    return cut_contigs(
        sources, options.lengths, count=options.count, seed=options.seed, viral_share=options.viral_share
    )


def _told(results: Sequence[str]) -> dict[str, ToolScores]:
    """What results that are there already say, by name."""
    found = {}
    for text in results:
        name, program, path = _named(text, parts=3)
        if program not in READERS:
            raise InputError(f"{program!r} is none of {', '.join(READERS)}", file="--results")
        found[name] = READERS[program](Path(path))
    return found


def _tools(options: argparse.Namespace) -> list[Tool | str]:
    """The tools to run, and the reasons why others are not. Without --ours the demonstration, but beside --results."""
    given = dict(_named(text, parts=2) for text in options.ours) or ({} if options.results else OURS)
    return [*our_tools(given), *other_tools(genomad_database=options.genomad_database, threads=options.threads)]


def _baselines(contigs: Sequence[Contig], *, seed: int) -> dict[str, Answers]:
    """The baselines of `virnucpro evaluate`, each range of lengths by itself; the longest open frame calls nothing."""
    scores: dict[str, dict[str, float]] = {}
    for lengths in dict.fromkeys(contig.lengths for contig in contigs):
        chosen = [contig for contig in contigs if contig.lengths == lengths]
        records = Answers.of(chosen, ToolScores({}, {})).records()
        found = baseline_scores(records, [contig.sequence for contig in chosen], seed=seed)
        for name, values in found.items():
            told = zip(records.ids, values.tolist(), strict=True)
            scores.setdefault(name, {}).update((key, value) for key, value in told if not np.isnan(value))
    return {
        name: Answers.of(
            contigs,
            ToolScores(
                values,
                {key: name != LONGEST_OPEN_FRAME and value >= THRESHOLD for key, value in values.items()},
                score_name=name,
                only_ranks=name == LONGEST_OPEN_FRAME,
            ),
        )
        for name, values in scores.items()
    }


def _claims(contigs: Sequence[Contig], answers: dict[str, Answers], *, seed: int) -> list[dict[str, Any]]:
    """A row for each tool, range of lengths, way to a rate of false discoveries, and prevalence.

    First comes the tool's own rate, if it tells one, at the share of viruses that there is.
    """
    found = []
    for lengths in dict.fromkeys(contig.lengths for contig in contigs):
        chosen = np.array([contig.lengths == lengths for contig in contigs], dtype=bool)
        for tool, answer in answers.items():
            if answer.only_ranks:
                continue
            told = answer.part(chosen)
            about = {"lengths": lengths, "tool": tool}
            if not np.isnan(told.fdr).all():
                found.append(about | {"estimate": OWN} | own_claim(told.fdr, told.virus).as_dict())
            for name, estimate in ESTIMATES.items():
                for prevalence in PREVALENCES:
                    values = claim(told.scores, told.virus, estimate=estimate, prevalence=prevalence, seed=seed)
                    found.append(about | {"estimate": name} | values.as_dict())
    return found


def _write(
    folder: Path,
    measured: Sequence[dict[str, Any]],
    claims: Sequence[dict[str, Any]],
    answers: dict[str, Answers],
    left_out: Sequence[str],
) -> None:
    write_tsv(folder / "accuracy.tsv", measured)
    write_tsv(folder / "false_discoveries.tsv", claims)
    scores = {tool: told.score_name for tool, told in answers.items()}
    about = {"scores": scores, "left_out": list(left_out)}
    (folder / "tools.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
    names = {name: name.replace("_", " ") for name in claims[0]} if claims else {}
    text = markdown(measured) + "".join(f"\nLeft out: {reason}.\n" for reason in left_out)
    (folder / "accuracy.md").write_text(text + "\n" + markdown(claims, names))
    write_picture(folder / "accuracy.svg", measured, answers)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def _named(text: str, *, parts: int) -> list[str]:
    found = text.split("=", parts - 1)
    if len(found) != parts or not all(found):
        raise InputError(f"{text!r} is not {'='.join(('NAME', '…', '…')[:parts])}", file="the command line")
    return found


if __name__ == "__main__":
    sys.exit(main())
