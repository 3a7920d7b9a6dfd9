"""Bundles like the demonstration whose head has other values for the score of a record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec

from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore, FittedSegments, FittedWithoutFrames
from virnucpro_tasks.system.files import file_sha256

BY_FRAMES = FittedRecordScore(0.125, 0.5, 0.25)
COVERED = FittedRecordScore(
    0.125, 0.5, 0.25, segments=FittedSegments(0.5, -0.25, 0.5), without_frames=FittedWithoutFrames(-1.0, 0.125)
)


def bundle_with(folder: Path, values: FittedRecordScore | None) -> Path:
    """Make `folder` the demonstration bundle, with these values or without any."""
    shutil.copytree(demo_bundle().path, folder)
    config = folder / "head" / "config.json"
    entries = json.loads(config.read_bytes()) | {"record_score": values and msgspec.to_builtins(values)}
    config.write_text(json.dumps(entries))
    description = json.loads((folder / "bundle.json").read_bytes())
    description["sha256"]["head/config.json"] = file_sha256(config)
    (folder / "bundle.json").write_text(json.dumps(description))
    return folder
