"""The committed models do what their metrics and cards say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from registry_client import manifest as manifests

MODELS = Path(__file__).parents[2] / "training" / "demo" / "models"
NAMES = ("mni152-brain-mask", "mni152-tissue")
FOLDERS = [MODELS / f"{name}-{version}" for name in NAMES for version in ("1.0.0", "1.1.0")]
# Convolutions are summed in another order on another processor, which moves voxels whose classes tie.
TOLERANCE = 0.005


def _metrics(folder: Path) -> dict[str, Any]:
    return msgspec.json.decode((folder / "metrics.json").read_bytes())


def _card(folder: Path) -> tuple[dict[str, Any], str]:
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return msgspec.yaml.decode(head), body


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_holds_a_revision_of_tens_of_kilobytes(folder: Path) -> None:
    manifest = manifests.decode((folder / "config.json").read_bytes())

    assert folder.name.endswith(f"-{manifest.version}")
    assert manifest.task == "segmentation"
    assert manifest.inputs[0].orientation == "RAS"
    assert manifest.inputs[0].spacing is not None
    assert manifest.inputs[0].intensity is not None
    assert [label.value for label in manifest.outputs[0].classes] == list(
        range(len(manifest.outputs[0].classes))
    )
    assert 10_000 < (folder / "model.safetensors").stat().st_size < 100_000


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_card_has_metadata_and_the_measured_table(folder: Path) -> None:
    metadata, body = _card(folder)
    metrics = _metrics(folder)

    assert metadata["license"] == "apache-2.0"
    assert metadata["library_name"] == "voxhub"
    assert metadata["pipeline_tag"] == "image-segmentation"
    assert {"mr", "brain"} <= set(metadata["tags"])
    assert "not for clinical use" in body
    assert "McConnell Brain Imaging Centre" in body
    for name, score in metrics["dice"].items():
        assert f"| {name} | {score['mean']:.3f} | {score['min']:.3f} |" in body


@pytest.mark.parametrize("name", NAMES)
def test_the_second_version_improves_every_class_on_the_same_images(name: str) -> None:
    first, second = (_metrics(MODELS / f"{name}-{version}") for version in ("1.0.0", "1.1.0"))

    assert first["seeds"] == second["seeds"]
    assert first["shape"] == second["shape"]
    for label, score in first["dice"].items():
        assert second["dice"][label]["mean"] > score["mean"], label


@pytest.mark.xdist_group("torch")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_weights_reproduce_their_metrics_on_a_held_out_image(folder: Path) -> None:
    from registry_client.folder import load_folder
    from training.demo.measure import held_out_dice
    from training.demo.recipes import RECIPES

    metrics = _metrics(folder)
    recipe = next(each for each in RECIPES if each.name == metrics["model"])
    model = load_folder(folder)

    found = held_out_dice(model, model.manifest, recipe, tuple(metrics["seeds"][0]))

    committed = {name: score["values"][0] for name, score in metrics["dice"].items()}
    assert found == pytest.approx(committed, abs=TOLERANCE)
    assert recipe.held_out.shape == tuple(metrics["shape"])
