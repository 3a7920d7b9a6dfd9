"""A bundle whose head has values for the score of a record: the demonstration with other ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec

from virnucpro_tasks.models.bundle import describe_bundle
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore

VALUES = FittedRecordScore(intercept=0.1, slope=1.2, slope_per_log_frames=0.4)


def fitted_bundle(folder: Path, values: FittedRecordScore | None = VALUES) -> Path:
    """A copy of the demonstration in `folder` whose head has these values, or none."""
    shipped = demo_bundle()
    shutil.copytree(shipped.path, folder)
    config = folder / "head" / "config.json"
    entries = json.loads(config.read_text())
    entries.pop("record_score", None)
    config.write_text(json.dumps(entries | ({"record_score": msgspec.to_builtins(values)} if values else {})))
    facts = msgspec.structs.asdict(shipped.description)
    describe_bundle(folder, **{name: value for name, value in facts.items() if name != "sha256"})
    return folder
