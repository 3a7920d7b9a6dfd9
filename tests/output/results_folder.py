"""Makes a folder of results by hand: inputs whose records are one chunk each, with the scores that a test gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from output.tables import Chunk, shard_of, write

from virnucpro_tasks.reads.inputs import ReadInput, each_input
from virnucpro_tasks.system.files import file_sha256, write_json


def make_results(folder: Path, inputs: Sequence[Path], scores: Sequence[float], *, sample: str = "") -> Path:
    """Write records.tsv of `inputs` and what run.json says of them; a score of -1 is a record without one."""
    chunks = []
    for _, records in each_input([ReadInput(path, str(path)) for path in inputs]):
        for record in records:
            score = scores[len(chunks)]
            found = {"virus": [score]} if score >= 0 else {"status": "no_open_frame"}
            chunks.append(
                Chunk(len(chunks), record.record_id, 1, 0, record.length, record.length, **found)  # type: ignore[arg-type]
            )
    assert len(chunks) == len(scores)
    place = folder / sample
    place.mkdir(parents=True, exist_ok=True)
    write(place, shard_of(chunks))
    report(folder, {sample: inputs})
    return place


def report(folder: Path, samples: Mapping[str, Sequence[Path]]) -> None:
    """Write the run.json of samples whose tables are there; one without a name is a job without a sample sheet."""
    tables = [folder / sample / "records.tsv" for sample in samples]
    tables += [folder / "records.tsv"] if folder / "records.tsv" not in tables else []
    write_json(
        folder / "run.json",
        {
            "inputs": [
                {"name": str(path), "bytes": path.stat().st_size, "sha256": file_sha256(path)}
                | ({"sample": sample} if sample else {})
                for sample, paths in samples.items()
                for path in paths
            ],
            "sha256": {str(table.relative_to(folder)): file_sha256(table) for table in tables if table.exists()},
        },
    )
