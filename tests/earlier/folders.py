"""Folders as the earlier tools leave them, made from the description of their formats, with true vectors."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from job import make_job, run_job, vectors_of

from virnucpro_tasks.earlier.expected import frame_ids
from virnucpro_tasks.pipeline.split import cut_input
from virnucpro_tasks.settings import Settings

PER_FILE = 60
"""Sequences in one file; the earlier tools put 10,000 into one."""

STAGES = (
    "CHUNKING",
    "TRANSLATION",
    "NUCLEOTIDE_SPLITTING",
    "PROTEIN_SPLITTING",
    "NUCLEOTIDE_FEATURES",
    "PROTEIN_FEATURES",
    "FEATURE_MERGING",
    "PREDICTION",
    "CONSENSUS",
)


@dataclass(frozen=True, slots=True)
class Computed:
    """A run of this package on `input`: the frames by the ids of the earlier tools, and the vectors of each."""

    input: Path
    ids: list[str]
    nucleotides: list[str]
    proteins: list[str]
    nucleotide: np.ndarray
    protein: np.ndarray

    def parts(self) -> list[slice]:
        """The frames of each file."""
        return [slice(start, start + PER_FILE) for start in range(0, len(self.ids), PER_FILE)]


def random_records(path: Path, *, records: int = 100, length: int = 90, seed: int = 7) -> Path:
    """A FASTA file of random records, most of which have an open frame; all are one chunk."""
    letters = random.Random(seed)
    path.write_text("".join(f">r{n}\n{''.join(letters.choices('ACGT', k=length))}\n" for n in range(records)))
    return path


def computed(settings: Settings, path: Path) -> Computed:
    """Compute all vectors of the file `path`, in one shard."""
    job = make_job(settings, path, keep_embeddings=True)
    run_job(job, settings)
    (batch,) = cut_input(job)
    vectors = vectors_of(job)
    return Computed(
        path,
        [name.decode() for name in frame_ids(batch)],
        batch.frames["nucleotides"].to_pylist(),
        batch.frames["protein"].to_pylist(),
        vectors.nucleotide[vectors.nucleotide_row],
        vectors.protein[vectors.protein_row],
    )


@dataclass(slots=True)
class Folder:
    """The folder of a run: of `original`, `v1` or `v2` (with checkpoints if `checkpoints`).

    The package computes proteins in half precision; unless they are `rounded` they are the exact vectors of `run`.
    `held` says of each file of vectors which it holds: the kind, and the places of the frames.
    """

    root: Path
    run: Computed
    tool: str
    checkpoints: bool = False
    multi_gpu: bool = False
    stem: str = "reads"
    rounded: bool = True
    held: dict[Path, list[tuple[str, list[int]]]] = field(default_factory=dict)

    @property
    def is_original(self) -> bool:
        return self.tool == "original"

    def stage_files(self) -> dict[str, list[Path]]:
        """The files of each stage of a finished run, which are written here."""
        self.root.mkdir(parents=True, exist_ok=True)
        middle = "identified_" if self.is_original else ""
        named = {
            kind: self.root / f"{self.stem}_{middle}{kind}.{end}"
            for kind, end in (("nucleotide", "fa"), ("protein", "faa"))
        }
        files: dict[str, list[Path]] = {stage: [] for stage in STAGES}
        chunked = self.root / f"{self.stem}_chunked500.fa"
        chunked.write_text(self.run.input.read_text().replace("\n>", "_chunk_1\n>", 0))
        files["CHUNKING"].append(chunked)
        for kind, stage in (("nucleotide", 2), ("protein", 3)):
            files["TRANSLATION"].append(self._fasta(named[kind], kind, slice(None)))
            for number, part in enumerate(self.run.parts(), start=1):
                place = self.root / f"{self.stem}_{kind}" / f"output_{number}.fa"
                files[STAGES[stage]].append(self._fasta(place, kind, part))
        for number, part in enumerate(self.run.parts(), start=1):
            files["NUCLEOTIDE_FEATURES"].append(self.nucleotides(number, part))
            files["PROTEIN_FEATURES"].append(self.proteins(number, part))
            files["FEATURE_MERGING"].append(self.merged(number, part))
        if self.tool == "v2":
            files["PROTEIN_FEATURES"][:0] = self.workers()
        scores = self.root / f"{self.stem}_merged"
        for name, stage in (("prediction_results.txt", 7), ("prediction_results_highestscore.csv", 8)):
            (scores / name).write_text("Sequence_ID\tPrediction\tscore1\tscore2\n")
            files[STAGES[stage]].append(scores / name)
        if not self.is_original:
            self.state(len(STAGES))
        return files

    def state(self, completed: int) -> Path:
        """The notes of version 1.0 and 2.0 when so many stages are completed."""
        stages = {
            name: {"status": "completed" if n < completed else "in_progress" if n == completed else "not_started"}
            for n, name in enumerate(STAGES)
        }
        if written := sorted(file.stat().st_mtime for file in self.root.rglob("*.fa*")):
            begin, end = (datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for at in (written[0], written[-1]))
            stages["TRANSLATION"]["started_at"] = begin.isoformat()
            stages["PROTEIN_SPLITTING"]["completed_at"] = end.isoformat()
        place = self.root / ".checkpoints" / "pipeline_state.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({"pipeline_config": {"expected_length": 500}, "stages": stages}))
        return place

    def nucleotides(self, number: int, part: slice) -> Path:
        name = "DNABERT" if self.multi_gpu else "DNABERT_S"
        ids, vectors = self.run.ids[part], self.run.nucleotide[part].tolist()
        data = [{"label": one, "mean_representation": vector} for one, vector in zip(ids, vectors, strict=True)]
        place = self._save(f"{self.stem}_nucleotide/output_{number}_{name}.pt", {"nucleotide": ids, "data": data})
        return self._holding(place, self._places(part), "nucleotide")

    def proteins(self, number: int, part: slice) -> Path:
        order = self._places(part)
        if self.is_original:
            order.sort(key=lambda place: len(self.run.proteins[place]))
        content = {
            "proteins": [self.run.ids[place] for place in order],
            "data": [torch.from_numpy(self._proteins()[place].copy()) for place in order],
        }
        name = "DNABERT" if self.multi_gpu else "ESM"
        place = self._save(f"{self.stem}_protein/output_{number}_{name}.pt", content, versioned=self.tool == "v1")
        return self._holding(place, order, "protein")

    def merged(self, number: int, part: slice) -> Path:
        joined = np.concatenate([self.run.nucleotide[part], self._proteins()[part]], axis=1)
        content = {"ids": self.run.ids[part], "data": torch.from_numpy(joined.astype(np.float32))}
        place = self._save(f"{self.stem}_merged/output_{number}_merged.pt", content)
        return self._holding(place, self._places(part), "nucleotide", "protein")

    def workers(self, *, resumed: bool = False, scrambled: bool = False, ranks: int = 2) -> list[Path]:
        """The files of the workers of version 2.0; `scrambled` ones attach the first half of vectors to other ids."""
        files, logs = [], self.root / "esm_v2" / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        order = sorted(range(len(self.run.ids)), key=lambda place: -len(self.run.proteins[place]))
        entries = [{"sequence_id": self.run.ids[n], "length": len(self.run.proteins[n])} for n in order]
        index = self.root / "esm_v2" / "sequence_index.json"
        index.write_text(json.dumps({"version": "1.0", "sequences": entries}))
        for rank in range(ranks):
            mine = order[rank::ranks]
            said = f"Merging {len(mine) // 2} resumed embeddings\n" if resumed else "Processed\n"
            (logs / f"worker_{rank}.log").write_text(said)
            half = len(mine) // 2
            attached = [*np.roll(mine[:half], 1).tolist(), *mine[half:]] if scrambled else mine
            file = self.root / "esm_v2" / f"shard_{rank}.h5"
            self._hdf5(file, [self.run.ids[n] for n in attached], self._proteins()[mine])
            if self.checkpoints:
                files += [self.batch(rank, batch, places) for batch, places in enumerate((mine[:half], mine[half:]))]
            files.append(self._holding(file, mine, "protein"))
        return files

    def batch(self, rank: int, batch: int, places: list[int], *, ids: list[str] | None = None) -> Path:
        content = {
            "embeddings": self._proteins()[places],
            "sequence_ids": ids or [self.run.ids[n] for n in places],
            "metadata": {"batch_idx": batch, "num_sequences": len(places), "model_dtype": "torch.float16"},
        }
        place = self.root / ".checkpoints" / f"shard_{rank}" / f"batch_{batch:05d}.pt"
        place.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, place, pickle_protocol=4)
        place.with_name(place.name + ".done").touch()
        return self._holding(place, places, "protein")

    def _places(self, part: slice) -> list[int]:
        return list(range(*part.indices(len(self.run.ids))))

    def _holding(self, place: Path, places: list[int], *kinds: str) -> Path:
        self.held[place] = [(kind, places) for kind in kinds]
        return place

    def _proteins(self) -> np.ndarray:
        is_exact = self.is_original or not self.rounded
        return self.run.protein if is_exact else self.run.protein.astype(np.float16).astype(np.float32)

    def _hdf5(self, file: Path, ids: list[str], vectors: np.ndarray) -> None:
        with h5py.File(file, "w") as opened:
            opened.create_dataset("embeddings", data=vectors)
            opened.create_dataset("sequence_ids", data=ids, dtype=h5py.string_dtype())

    def _save(self, name: str, content: dict[str, Any], *, versioned: bool | None = None) -> Path:
        place = self.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if versioned if versioned is not None else not self.is_original:
            content |= {"version": "1.0", "status": "complete"}
            place.with_name(place.name + ".done").touch()
        torch.save(content, place)
        return place

    def _fasta(self, place: Path, kind: str, part: slice) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        texts = self.run.nucleotides if kind == "nucleotide" else self.run.proteins
        records = zip(self.run.ids[part], texts[part], strict=True)
        place.write_text("".join(f">{name}\n{text}\n" for name, text in records))
        return place
