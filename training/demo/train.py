"""Train the demonstration models on the MNI152 template: `python -m training.demo.train`.

Writes one folder per version under `models/`, each of them a revision as the hub stores it
(config.json, model.safetensors, README.md) with the measured Dice in metrics.json beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from registry_client.architectures import fetch_architecture
from registry_client.folder import write_folder
from training.demo.augmentation import draw
from training.demo.describe import card_of, manifest_of
from training.demo.loop import Batch, train
from training.demo.measure import Metrics, held_out_dice, held_out_seeds, summarise
from training.demo.recipes import RECIPES, TRAINING_SEED, Recipe, Release
from training.demo.template import mni152

MODELS = Path(__file__).parent / "models"


def main() -> None:
    """Train what the command line asks for."""
    names = [recipe.name for recipe in RECIPES]
    parser = argparse.ArgumentParser(prog="python -m training.demo.train", description=__doc__)
    parser.add_argument("--model", choices=names, action="append", help="train only this model")
    parser.add_argument("--output", type=Path, default=MODELS, help="default: training/demo/models")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default: 1)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for recipe in RECIPES:
        if given.model is None or recipe.name in given.model:
            train_recipe(recipe, given.output)


def train_recipe(recipe: Recipe, output: Path) -> None:
    """Train every version of a model in order, each going on from the one before."""
    torch.manual_seed(TRAINING_SEED)
    model = fetch_architecture("meshnet", dim=3)(
        (*recipe.largest, 1),
        number_of_outputs=len(recipe.labels),
        number_of_filters=recipe.filters,
        dilations=recipe.dilations,
        normalisation=recipe.normalisation,
    )
    for number, release in enumerate(recipe.releases):
        started = time.perf_counter()
        train(
            model,
            batches(recipe, number),
            steps=release.steps,
            learning_rate=release.learning_rate,
            report=_progress(f"{recipe.name} {release.version}", release.steps),
        )
        _publish(model, recipe, number, time.perf_counter() - started, output)


def batches(recipe: Recipe, number: int) -> Callable[[int], Batch]:
    """Give the function that draws the patches of step `i` in the training of version `number`."""

    def patch(size: float, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        x, y, z = np.random.default_rng(seed).uniform(-1, 1, 3)
        drawn = draw(mni152(), recipe.frame(size, (x, y, z)), seed)
        # The intensity rule of the manifest ends at 1, which is near white matter.
        return drawn.image.clamp_max(1), drawn.tissue if recipe.target == "tissue" else drawn.brain

    def batch(index: int) -> Batch:
        seed = (TRAINING_SEED, number, index)
        size = float(np.random.default_rng(seed).random())
        pairs = [patch(size, (*seed, place)) for place in range(recipe.patches)]
        images, labels = zip(*pairs, strict=True)
        return torch.stack(images)[:, None], torch.stack(labels).long()

    return batch


def _publish(model: nn.Module, recipe: Recipe, number: int, seconds: float, output: Path) -> None:
    """Measure a version on the held-out images and write its folder."""
    release: Release = recipe.releases[number]
    plain = manifest_of(model, recipe, release, metrics=None)
    results: list[dict[str, float]] = []
    seeds = held_out_seeds(recipe)
    for seed in seeds:
        results.append(held_out_dice(model, plain, recipe, seed))
        row = "  ".join(f"{name} {value:.3f}" for name, value in results[-1].items())
        print(f"{recipe.name} {release.version}: held-out {seed[1] + 1}/{len(seeds)}: {row}", flush=True)
    metrics = Metrics(
        model=recipe.name,
        version=release.version,
        steps=sum(earlier.steps for earlier in recipe.releases[: number + 1]),
        training_seconds=round(seconds, 1),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        shape=recipe.held_out.shape,
        spacing=recipe.held_out.spacing,
        seeds=seeds,
        dice=summarise(results),
    )
    folder = output / f"{recipe.name}-{release.version}"
    write_folder(
        folder, model, manifest_of(model, recipe, release, metrics), card_of(recipe, release, metrics)
    )
    content = msgspec.json.format(msgspec.json.encode(metrics), indent=2)
    (folder / "metrics.json").write_bytes(content + b"\n")
    print(f"{recipe.name} {release.version}: wrote {folder}", flush=True)


def _progress(title: str, steps: int) -> Callable[[int, float], None]:
    """Print the mean loss of every ten steps, and how long the rest takes."""
    started = time.perf_counter()
    recent: list[float] = []

    def report(step: int, loss: float) -> None:
        recent.append(loss)
        if (step + 1) % 10 and step + 1 != steps:
            return
        passed = time.perf_counter() - started
        left = passed / (step + 1) * (steps - step - 1)
        mean = sum(recent) / len(recent)
        print(f"{title}: step {step + 1}/{steps}  loss {mean:.3f}  {left:.0f} s left", flush=True)
        recent.clear()

    return report


if __name__ == "__main__":
    main()
