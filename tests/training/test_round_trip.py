"""Register a demonstration model in one process, fetch it in another: the same labels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hub_process import ROOT, HubServer

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.slow]

MODELS = ROOT / "training" / "demo" / "models"
FETCH = """
import sys
import nibabel
import registry_client as vox
from training.inference import segment

reference, scan, labels = sys.argv[1:]
nibabel.save(segment(vox.fetch_pretrained(reference), nibabel.load(scan)), labels)
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    import nibabel
    from nilearn import datasets

    path = tmp_path / "mni152.nii.gz"
    nibabel.save(datasets.load_mni152_template(resolution=1), path)
    return path


@pytest.mark.parametrize("name", ["mni152-brain-mask", "mni152-tissue"])
def test_the_template_is_labelled_alike_by_whoever_fetches(
    name: str, hub_server: HubServer, template: Path, tmp_path: Path
) -> None:
    _round_trip(name, hub_server, template, tmp_path)


@pytest.mark.parametrize("name", ["mni152-brain-mask", "mni152-tissue"])
def test_a_real_head_is_labelled_alike_by_whoever_fetches(
    name: str, hub_server: HubServer, shared_data: Path, tmp_path: Path
) -> None:
    _round_trip(name, hub_server, shared_data / "t1" / "t1_crop.nii.gz", tmp_path)


def _round_trip(name: str, hub: HubServer, scan: Path, folder: Path) -> None:
    import nibabel

    import registry_client as vox
    from registry_client.folder import load_folder
    from training.inference import segment

    user, token = hub.new_user()
    model = load_folder(MODELS / f"{name}-1.1.0")
    kept = model.manifest
    registered = vox.register_pretrained(
        model,
        f"{user}/{name}",
        version="1.1.0",
        task=kept.task,
        inputs=kept.inputs,
        outputs=kept.outputs,
        inference=kept.inference,
        postprocessing=kept.postprocessing,
        training=kept.training,
        card=model.card,
        endpoint=hub.endpoint,
        token=token,
    )
    here = np.asarray(segment(model, nibabel.load(scan)).dataobj)

    empty = {"VOXHUB_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "home")}
    connection = {"VOXHUB_ENDPOINT": hub.endpoint, "VOXHUB_TOKEN": token}
    labels = folder / "labels.nii.gz"
    done = subprocess.run(
        [sys.executable, "-c", FETCH, f"{user}/{name}@{registered.revision}", str(scan), str(labels)],
        env={**os.environ, **empty, **connection},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    there = np.asarray(nibabel.Nifti1Image.from_filename(labels).dataobj)

    assert len(np.unique(here)) == len(kept.outputs[0].classes), "every class occurs in a head"
    assert np.array_equal(here, there)
