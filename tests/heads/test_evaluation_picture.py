from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from heads.records import made_records

from virnucpro_tasks.heads.evaluation_picture import write_picture


def texts(path: Path) -> list[str]:
    """What is written in the picture: matplotlib keeps each text in a comment beside its outlines."""
    return [found.strip() for found in re.findall(r"<!--(.*?)-->", path.read_text())]


def test_curves_and_a_reliability_diagram_with_counts(tmp_path: Path) -> None:
    found = made_records(48, unscored=4)
    baselines = {"4-mers": np.linspace(0, 1, 48), "6-mers": np.full(48, np.nan)}
    write_picture(tmp_path / "picture.svg", found, baselines, title="a test")
    shown = texts(tmp_path / "picture.svg")
    assert "a test" in shown and "share of viruses" in shown
    assert [text.partition(",")[0] for text in shown if "AUROC" in text] == ["this bundle", "this bundle", "4-mers"]
    assert "this bundle, scored records only, AUROC 1.000" in shown
    # Both filled tenths of the scale have 22 records.
    assert shown.count("22") == 2
    write_picture(tmp_path / "again.svg", found, baselines, title="a test")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "picture.svg").read_bytes()


def test_one_class_has_no_curve(tmp_path: Path) -> None:
    found = made_records(48, unscored=0)
    write_picture(tmp_path / "picture.svg", found.of(found.virus), {}, title="viruses")
    assert not [text for text in texts(tmp_path / "picture.svg") if "AUROC" in text]
