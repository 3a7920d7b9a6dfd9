"""Provenance of a job as a Process Run Crate: an RO-Crate with the action that made the files of the results folder.

The profile is one of Workflow Run RO-Crate, and the one for a run without the file of a workflow.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from virnucpro_tasks.output.tables import CRATE_FILE, FILES, file_name
from virnucpro_tasks.paths import COMMIT_MARK, LOG_FILE
from virnucpro_tasks.system.file_operations import persistently

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
SOFTWARE_URL = "https://github.com/Li-Jing-1997/VirNucPro"

MEDIA_TYPES = {
    ".tsv": "text/tab-separated-values",
    # Tab-separated, in spite of its name.
    ".csv": "text/tab-separated-values",
    ".json": "application/json",
    ".html": "text/html",
    ".gz": "application/gzip",
    ".bgz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
    ".bam": "application/octet-stream",
}
OTHER_MEDIA_TYPE = "text/plain"
"""Sequences, annotations and logs."""

Entity = dict[str, Any]


def crate(folder: Path, report: dict[str, Any]) -> bytes:
    """The content of ro-crate-metadata.json for the `report` of a job whose files are in `folder`."""
    entities = [_descriptor(), *_described(folder, report)]
    # Inputs with equal content are one entity.
    graph = list({entity["@id"]: entity for entity in reversed(entities)}.values())[::-1]
    return (json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1) + "\n").encode()


def _descriptor() -> Entity:
    return {
        "@id": CRATE_FILE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": SPECIFICATION},
    }


def _described(folder: Path, report: Mapping[str, Any]) -> Iterator[Entity]:
    files = list(_files(folder, report))
    inputs = [_input(entry) for entry in report["inputs"]]
    model = list(_model(report["model"], is_demonstration=report["demonstration"]))
    parameters = list(_parameters(report["parameters"]))
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "Classification of records as virus or others",
        "description": report["summary"],
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "startTime": report["times"]["created_at"],
        "endTime": report["times"]["finished_at"],
        "instrument": {"@id": SOFTWARE_URL},
        "object": _ids([*inputs, model[0], *parameters]),
        "result": _ids(files),
    }
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": "VirNucPro results",
        "description": report["summary"],
        "datePublished": report["times"]["finished_at"],
        "license": {"@id": "#licence"},
        "conformsTo": {"@id": PROFILE},
        "hasPart": _ids([*files, *inputs]),
        "mentions": {"@id": action["@id"]},
    }
    yield {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    yield {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "No licence stated",
        "description": "Who publishes these results states their licence here.",
    }
    yield action
    yield {
        "@id": SOFTWARE_URL,
        "@type": "SoftwareApplication",
        "name": "virnucpro-tasks",
        "url": SOFTWARE_URL,
        "softwareVersion": report["versions"]["virnucpro-tasks"],
        "softwareRequirements": [
            f"{name} {version}" for name, version in report["versions"].items() if name != "virnucpro-tasks"
        ],
    }
    yield from (*inputs, *model, *parameters, *files)


def _files(folder: Path, report: Mapping[str, Any]) -> Iterator[Entity]:
    """All files of the results but this one. The last two are written after it, so their content is not known."""
    meanings = {file_name(name, prefix=report["parameters"]["outputs"]["prefix"]): text for name, text in FILES.items()}
    for place, digest in (report["sha256"] | report["times"].get("sha256", {})).items():
        size_bytes = persistently((folder / place).stat).st_size
        yield _file(place, meanings) | {"contentSize": str(size_bytes), "sha256": digest}
    yield from (_file(place, meanings) for place in (COMMIT_MARK, LOG_FILE))


def _file(place: str, meanings: Mapping[str, str]) -> Entity:
    path = PurePath(place)
    return {
        "@id": quote(place),
        "@type": "File",
        "name": place,
        "description": meanings.get(path.name, path.name),
        "encodingFormat": _media_type(path),
    }


def _media_type(path: PurePath) -> str:
    return MEDIA_TYPES.get(path.suffix.lower(), OTHER_MEDIA_TYPE)


def _input(entry: Mapping[str, Any]) -> Entity:
    """An input file, which is not part of the crate: named by its digest (RFC 6920)."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(entry["sha256"])).decode().rstrip("=")
    # Without the folder, which may tell who ran it.
    path = PurePath(PurePath(entry["name"]).name)
    return {
        "@id": f"ni:///sha-256;{digest}",
        "@type": "File",
        "name": path.name.encode(errors="backslashreplace").decode(),
        "encodingFormat": _media_type(path),
        "contentSize": str(entry["bytes"]),
        "sha256": entry["sha256"],
    }


def _model(model: Mapping[str, Any], *, is_demonstration: bool) -> Iterator[Entity]:
    """The bundle of models, then its parts, each with its licence."""
    parts = [
        {"@id": f"#model-{part}", "@type": "CreativeWork", "name": model[described], "license": model["licences"][part]}
        for part, described in (("dnabert-s", "nucleotide"), ("esm2", "protein"), ("head", "head"))
        if part in model["licences"]
    ]
    yield {
        "@id": "#model",
        "@type": "CreativeWork",
        "name": model["name"],
        "description": "Models of a demonstration: draw no conclusions" if is_demonstration else "Models",
        "identifier": f"sha256:{model['digest']}",
        "sha256": model["digest"],
        "hasPart": _ids(parts),
    }
    yield from parts


def _parameters(parameters: Mapping[str, Any]) -> Iterator[Entity]:
    for name, value in _flat(parameters).items():
        yield {"@id": f"#parameter-{name}", "@type": "PropertyValue", "name": name, "value": value}


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The values in `values` and in the mappings therein, by their names and those of the mappings, joined by dots."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: value}
    return found


def _ids(entities: list[Entity]) -> list[Entity]:
    return [{"@id": identifier} for identifier in dict.fromkeys(entity["@id"] for entity in entities)]
