"""Measure a demonstration model on images that no training step has seen."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch import nn

from registry_client.manifest import Manifest
from training.demo.augmentation import draw
from training.demo.recipes import HELD_OUT_SEED, Recipe
from training.demo.template import mni152
from training.inference import label_volume


class Dice(msgspec.Struct, frozen=True):
    """The Dice coefficient of one class over the held-out images: 0 (apart) to 1 (equal)."""

    mean: float
    min: float
    values: tuple[float, ...]


class Metrics(msgspec.Struct, frozen=True):
    """What `metrics.json` holds. `seeds` draws the images again with `held_out_dice`."""

    model: str
    version: str
    steps: int
    training_seconds: float
    parameters: int
    shape: tuple[int, int, int]
    spacing: float
    seeds: tuple[tuple[int, int], ...]
    dice: dict[str, Dice]


def held_out_seeds(recipe: Recipe) -> tuple[tuple[int, int], ...]:
    """List the seeds of the images that measure every version of a model."""
    return tuple((HELD_OUT_SEED, index) for index in range(recipe.held_out_images))


def held_out_dice(
    model: nn.Module, manifest: Manifest, recipe: Recipe, seed: tuple[int, int]
) -> dict[str, float]:
    """Draw the whole head of a seed, label it as a user would, and compare; Dice by class name."""
    drawn = draw(mni152(), recipe.held_out, seed, recipe.contrast)
    truth = (drawn.tissue if recipe.target == "tissue" else drawn.brain).numpy()
    spacing = (recipe.held_out.spacing,) * 3
    labels = label_volume(model, drawn.image.numpy(), spacing, manifest)
    return {name: dice(labels == value, truth == value) for value, name in enumerate(recipe.labels)}


def dice(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    """Return 2|A∩B| / (|A|+|B|); two empty masks agree, 1.0."""
    total = int(left.sum()) + int(right.sum())
    return 2 * int((left & right).sum()) / total if total else 1.0


def summarise(results: list[dict[str, float]]) -> dict[str, Dice]:
    """Gather the Dice of several images by class, rounded to four places."""
    return {
        name: Dice(
            mean=round(float(np.mean([result[name] for result in results])), 4),
            min=round(min(result[name] for result in results), 4),
            values=tuple(round(result[name], 4) for result in results),
        )
        for name in results[0]
    }
