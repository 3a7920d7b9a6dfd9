"""Times a scripted reader of a report: five questions, each answered by what a browser then shows on its screen.

The reader opens report.html of finished results in headless Chromium, in a window of 1280 x 800 points, and asks one
question after another, each from the top of the page. It clicks as a person would; a question is answered when the
element with the answer lies in the window and has the number that run.json or records.tsv gives. A person also reads:
`words` is how many the answered part has, a minute being enough for some 200.

    python benchmarks/report_reader.py RESULTS --browser /usr/bin/chromium [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result
from playwright.sync_api import Page, sync_playwright

from virnucpro_tasks.results import open_results

WINDOW = {"width": 1280, "height": 800}

IN_WINDOW = """([selector, text]) => [...document.querySelectorAll(selector)].some(element => {
  const place = element.getBoundingClientRect();
  return place.height > 0 && place.top >= 0 && place.bottom <= innerHeight && element.textContent.includes(text);
})"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The element with an answer, a text that it has to have, and the section that is to be read."""

    selector: str
    text: str
    section: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the way to its answer: `clicks` presses, or entries in a field."""

    words: str
    clicks: int
    go: Callable[[Page], Any]
    answer: Answer


def questions(folder: Path) -> list[Question]:
    """The five questions of the results in `folder`, with their right answers."""
    results = open_results(folder)
    run = results.run
    strongest = run["strongest"][0]["record_id"]
    records = results.records()
    unread = int((records["status"] == "no_open_frame").sum())
    return [
        Question(
            "which contigs are viral",
            2,
            lambda page: (page.click("nav a[href='#records']"), page.select_option("#filter", "virus")),
            Answer("#found", f"{run['counts']['virus_records']:,}", "viral"),
        ),
        Question(
            "how sure",
            1,
            lambda page: page.click("nav a[href='#sure']"),
            Answer("[data-chart=histogram] svg", "", "sure"),
        ),
        Question(
            "where in this contig",
            1,
            lambda page: page.click("nav a[href='#where']"),
            Answer(".cards li", strongest, "where"),
        ),
        Question(
            "what was not answered, and why",
            1,
            lambda page: page.click("nav a[href='#unanswered']"),
            Answer("#unanswered p", f"{unread:,} of {len(records):,}", "unanswered"),
        ),
        Question(
            "what to give to the next tool",
            1,
            lambda page: page.click("nav a[href='#files']"),
            Answer("#files tr", "virus.fasta.gz", "files"),
        ),
    ]


@contextmanager
def opened(file: Path, browser: str) -> Iterator[tuple[Page, float]]:
    """The page in a browser of its own, and the seconds until its charts are drawn and its table can be searched."""
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport=WINDOW)
        page.emulate_media(reduced_motion="reduce")
        started = time.perf_counter()
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        page.wait_for_selector("[data-chart=plane] svg", state="attached")
        yield page, time.perf_counter() - started
        chromium.close()


def read_once(folder: Path, browser: str) -> dict[str, float]:
    """Seconds until the page can be used, and from each question to its answer; words of the parts to read."""
    found: dict[str, float] = {}
    (file,) = folder.glob("*report.html")
    with opened(file, browser) as (page, usable):
        found["open"] = usable
        for question in questions(folder):
            page.evaluate("scrollTo(0, 0)")
            started = time.perf_counter()
            question.go(page)
            answer = question.answer
            page.wait_for_function(IN_WINDOW, arg=[answer.selector, answer.text], timeout=60_000)
            found[question.words] = time.perf_counter() - started
            found[f"words: {question.words}"] = len(page.inner_text(f"#{answer.section}").split())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--browser", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    rounds = [read_once(options.results, options.browser) for _ in range(options.rounds)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    asked = questions(options.results)
    write_result(
        options.output / "report_reader",
        {"machine": fingerprint(), "records": len(open_results(options.results).records()), "rounds": rounds},
        rows=[
            ("open the page", "0", f"{medians['open']:.1f}", "-"),
            *(
                (
                    question.words,
                    str(question.clicks),
                    f"{medians[question.words]:.1f}",
                    f"{medians[f'words: {question.words}']:.0f}",
                )
                for question in asked
            ),
        ],
        header=("question", "clicks", "seconds until the answer is in the window", "words of its part"),
    )


if __name__ == "__main__":
    main()
