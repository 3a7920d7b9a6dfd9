from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from covered_bundle import BY_FRAMES, COVERED, bundle_with
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.errors import BundleError, SettingsError
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.files import file_sha256


def test_a_head_that_does_not_fit_its_models_is_found_before_any_work(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    bundle = tmp_path / "bundle"
    shutil.copytree(demo_bundle().path, bundle)
    head = bundle / "head" / "model.safetensors"
    tensors = load_file(head)
    tensors["hidden_layer.weight"] = tensors["hidden_layer.weight"][:, :-1].copy()
    save_file(tensors, head)
    description = json.loads((bundle / "bundle.json").read_text())
    description["sha256"]["head/model.safetensors"] = file_sha256(head)
    (bundle / "bundle.json").write_text(json.dumps(description))
    settings = Settings(store=tmp_path / "store", bundle=str(bundle))
    with pytest.raises(BundleError, match="this head takes 319"):
        submit(
            settings,
            [SAMPLE],
            chunk_length=None,
            min_length=None,
            strict=False,
            keep_embeddings=False,
            priority=0,
        )
    assert not (tmp_path / "store").exists()


def without_head(folder: Path) -> Path:
    """A bundle of the demonstration's encoders, without a head."""
    shutil.copytree(demo_bundle().path, folder, ignore=shutil.ignore_patterns("head"))
    description = json.loads((folder / "bundle.json").read_text())
    description["sha256"] = {name: digest for name, digest in description["sha256"].items() if "head" not in name}
    (folder / "bundle.json").write_text(json.dumps(description | {"head": "no head"}))
    return folder


def test_encoders_alone_score_nothing_and_embed_all(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "store", bundle=str(without_head(tmp_path / "encoders")))
    with pytest.raises(BundleError, match="has no head, so it scores nothing"):
        make_job(settings, SAMPLE)
    assert not (tmp_path / "store").exists()
    job = make_job(settings, SAMPLE, scored=False, keep_embeddings=True)
    run_job(job, settings)
    report = json.loads(job.paths.run.read_bytes())
    assert report["summary"] == "14 records: 13 embedded, 1 without an open frame [demonstration (DEMONSTRATION)]"
    assert report["counts"]["virus_chunks"] == report["counts"]["virus_records"] == 0
    assert report["counts"]["frames_scored"] == report["counts"]["frames"] > 0
    assert "nothing is scored" in report["warnings"][0]
    assert sorted(file.name for file in job.paths.results.iterdir()) == ["run.json", "virnucpro.log"]
    assert job.paths.embedding(0).exists()


@pytest.mark.parametrize("values", [None, BY_FRAMES])
def test_segments_are_refused_where_the_head_was_not_fitted_to_them(
    settings: Settings, tmp_path: Path, values: FittedRecordScore | None
) -> None:
    settings = replace(settings, bundle=str(bundle_with(tmp_path / "bundle", values)))
    with pytest.raises(SettingsError, match="was not fitted to segments"):
        make_job(settings, SAMPLE, coverage=Coverage.SEGMENTS)
    assert not settings.store.exists()
    # To fit a head, whose values come later.
    job = make_job(settings, SAMPLE, coverage=Coverage.SEGMENTS, scored=False)
    assert job.spec.parameters.coverage is Coverage.SEGMENTS


def test_segments_are_taken_where_the_head_was_fitted_to_them(settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, bundle=str(bundle_with(tmp_path / "bundle", COVERED)))
    job = make_job(settings, SAMPLE, coverage=Coverage.SEGMENTS)
    assert job.spec.parameters.for_results()["coverage"] == "segments"
