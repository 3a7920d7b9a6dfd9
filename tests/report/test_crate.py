from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import io
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from needs import missing

from virnucpro_tasks.report.crate import crate

STATED_BY_WHO_PUBLISHES = {
    "process-run-crate-0.5_8.6",  # an agent
    "ro-crate-1.1_22.2",  # an author
    "ro-crate-1.1_22.3",  # a publisher
    "ro-crate-1.1_28.1",  # an address from which the input can be fetched
}
"""Recommendations of the profiles that a job knows nothing for."""


def entities(metadata: bytes) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads(metadata)["@graph"]}


@pytest.fixture
def found(results: Path) -> dict[str, dict[str, Any]]:
    return entities((results / "ro-crate-metadata.json").read_bytes())


@pytest.fixture
def run(results: Path) -> dict[str, Any]:
    return json.loads((results / "run.json").read_bytes())


def ids(references: list[dict[str, str]]) -> list[str]:
    return [reference["@id"] for reference in references]


def test_every_file_of_the_folder_is_described_with_its_digest_and_size(
    results: Path, found: dict[str, dict[str, Any]]
) -> None:
    there = {str(file.relative_to(results)) for file in results.rglob("*") if file.is_file()}
    described = {unquote(name): found[name] for name in ids(found["#run"]["result"])}
    assert set(described) == there - {"ro-crate-metadata.json"}
    assert len(there) > 8 and set(ids(found["#run"]["result"])) <= set(ids(found["./"]["hasPart"]))
    for name, entity in described.items():
        # What is written after the crate
        if name not in ("run.json", "virnucpro.log"):
            content = (results / name).read_bytes()
            assert entity["sha256"] == hashlib.sha256(content).hexdigest(), name
            assert entity["contentSize"] == str(len(content)), name
        assert entity["encodingFormat"] and entity["description"] not in ("", entity["name"]), name


def test_the_action_tells_times_software_inputs_models_and_parameters(
    found: dict[str, dict[str, Any]], run: dict[str, Any]
) -> None:
    action = found["#run"]
    assert (action["startTime"], action["endTime"]) == (run["times"]["created_at"], run["times"]["finished_at"])
    assert found[action["instrument"]["@id"]]["softwareVersion"] == run["versions"]["virnucpro-tasks"]
    used = [found[name] for name in ids(action["object"])]
    (reads,) = (entity for entity in used if entity["@type"] == "File")
    assert (reads["sha256"], reads["contentSize"]) == (run["inputs"][0]["sha256"], str(run["inputs"][0]["bytes"]))
    # Not its folder, in which there may be the name of a user
    assert reads["name"] == "reads & <b>more.fasta"
    assert found["#model"]["identifier"] == f"sha256:{run['model']['digest']}"
    parts = [found[name] for name in ids(found["#model"]["hasPart"])]
    assert [part["name"] for part in parts] == [run["model"][name] for name in ("nucleotide", "protein", "head")]
    assert all(part["license"] == "MIT, trained by this project" for part in parts)
    parameters = {entity["name"]: entity["value"] for entity in used if entity["@type"] == "PropertyValue"}
    assert parameters["chunk_length"] == 500 and parameters["min_length"] == 60
    assert parameters["outputs.cutoffs.min_length"] == 0 and parameters["outputs.prefix"] == "S1_"


def test_every_reference_is_to_an_entity(found: dict[str, dict[str, Any]]) -> None:
    outside = {"https://w3id.org/ro/crate/1.1"}

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [name for item in value for name in references(item)]
        return [value["@id"]] if isinstance(value, dict) else []

    for entity in found.values():
        for value in entity.values():
            assert set(references(value)) <= {*found, *outside}


def test_its_digest_is_under_times(results: Path, run: dict[str, Any]) -> None:
    digest = hashlib.sha256((results / "ro-crate-metadata.json").read_bytes()).hexdigest()
    assert run["times"]["sha256"]["ro-crate-metadata.json"] == digest
    assert "ro-crate-metadata.json" not in run["sha256"]
    assert {"S1_virnucpro_mqc.json", "S1_virnucpro_records_mqc.json"} <= set(run["sha256"])


def test_inputs_of_equal_content_are_one_entity_and_names_are_text(results: Path, run: dict[str, Any]) -> None:
    inputs = [run["inputs"][0] | {"name": name} for name in ("folder/a\udcff.fa", "b.fa.gz")]
    found = entities(crate(results, run | {"inputs": inputs}))
    (entity,) = (entity for name, entity in found.items() if name.startswith("ni:"))
    assert entity["name"] == "a\\udcff.fa"
    assert ids(found["./"]["hasPart"]).count(entity["@id"]) == 1


def test_a_library_reads_and_writes_it(results: Path, tmp_path: Path, run: dict[str, Any]) -> None:
    if not importlib.util.find_spec("rocrate"):
        missing("rocrate is not installed (make .venv/dev)")
    from rocrate.rocrate import ROCrate

    read = ROCrate(results)
    names = {entity.id for entity in read.data_entities if not entity.id.startswith("ni:")}
    assert names == {*run["sha256"], *run["times"]["sha256"], "run.json", "virnucpro.log"} - {"ro-crate-metadata.json"}
    assert read.root_dataset["mentions"].type == "CreateAction"
    read.write(tmp_path / "copy")
    assert (tmp_path / "copy" / "records.tsv").read_bytes() == (results / "records.tsv").read_bytes()


@pytest.mark.slow
def test_the_validator_of_the_profile_has_no_objection(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not importlib.util.find_spec("rocrate_validator"):
        missing("roc-validator is not installed (make .venv/dev)")
    import requests
    from rocrate_validator import models, services
    from rocrate_validator.utils import log

    log.basicConfig(logging.CRITICAL)
    # Nothing is asked of the network. A context of a later version has all terms of the one asked for.
    context = importlib.resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes()
    asked = []

    def answer(_: object, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        asked.append(request.url)
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url or "", request
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = io.BytesIO(context)
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answer)
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=models.URI(results),
            profile_identifier="process-run-crate",
            requirement_severity=models.Severity.RECOMMENDED,
            no_cache=True,
        )
    )
    assert set(asked) == {"https://w3id.org/ro/crate/1.1/context"}
    severe = [issue.message for issue in result.get_issues() if issue.severity == models.Severity.REQUIRED]
    assert severe == []
    assert {issue.check.identifier for issue in result.get_issues()} <= STATED_BY_WHO_PUBLISHES
