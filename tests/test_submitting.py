from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from job import SAMPLE

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import file_sha256
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.submitting import submit


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
