"""docs/metrics.md names each metric as it is, and its expressions use no other."""

from __future__ import annotations

import re
from pathlib import Path

from virnucpro_tasks.monitoring.metrics import METRICS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()


def test_the_table_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(virnucpro_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (spec.full_name, str(spec.kind), ", ".join(f"`{label}`" for label in spec.labels), spec.help)
        for spec in METRICS
    ]


def test_expressions_use_only_metrics_that_exist() -> None:
    assert set(re.findall(r"\bvirnucpro_\w+", PAGE)) == {spec.full_name for spec in METRICS}
