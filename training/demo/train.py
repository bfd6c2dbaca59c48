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
from torch import nn
from torch.utils.data import DataLoader, Dataset

from registry_client.architectures import fetch_architecture
from registry_client.folder import load_folder, write_folder
from training.demo.augmentation import draw
from training.demo.describe import card_of, manifest_of
from training.demo.loop import Batch, train
from training.demo.measure import Metrics, held_out_dice, held_out_seeds, summarise
from training.demo.recipes import RECIPES, TRAINING_SEED, Recipe, Release
from training.demo.start_weights import pass_through
from training.demo.template import mni152

MODELS = Path(__file__).parent / "models"


def main() -> None:
    """Train what the command line asks for."""
    names = [recipe.name for recipe in RECIPES]
    parser = argparse.ArgumentParser(prog="python -m training.demo.train", description=__doc__)
    parser.add_argument("--model", choices=names, action="append", help="train only this model")
    parser.add_argument(
        "--version", help="train this version alone, from the one before in the output folder"
    )
    parser.add_argument("--output", type=Path, default=MODELS, help="default: training/demo/models")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default: 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw images (default: 1)")
    parser.add_argument(
        "--describe",
        action="store_true",
        help="train nothing: measure the weights that are there, and write manifest and card again",
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for recipe in RECIPES:
        if given.model is not None and recipe.name not in given.model:
            continue
        if given.describe:
            describe_recipe(recipe, given.output)
        else:
            train_recipe(recipe, given.output, given.workers, given.version)


def train_recipe(recipe: Recipe, output: Path, workers: int = 1, only: str | None = None) -> None:
    """Train every version of a model in order, each going on from the one before.

    workers: processes that draw images; the images are the same for any number.
    only: train this version alone, from the weights of the one before that lie in `output`.
    """
    versions = [release.version for release in recipe.releases]
    if only is not None and only not in versions:
        raise SystemExit(f"{recipe.name} has no version `{only}`; it has {', '.join(versions)}")
    first = versions.index(only) if only else 0
    model = load_folder(output / f"{recipe.name}-{versions[first - 1]}") if first else _untrained(recipe)
    for number, release in enumerate(recipe.releases):
        if number < first or only not in {None, release.version}:
            continue
        started = time.perf_counter()
        train(
            model,
            DataLoader(Drawings(recipe, number), batch_size=None, num_workers=workers),
            steps=release.steps,
            learning_rate=release.learning_rate,
            report=_progress(f"{recipe.name} {release.version}", release.steps),
        )
        _publish(model, recipe, number, time.perf_counter() - started, output)


def _untrained(recipe: Recipe) -> nn.Module:
    torch.manual_seed(TRAINING_SEED)
    model = fetch_architecture("meshnet", dim=3)(
        (*recipe.largest, 1),
        number_of_outputs=len(recipe.labels),
        number_of_filters=recipe.filters,
        dilations=recipe.dilations,
        normalisation=recipe.normalisation,
    )
    if recipe.pass_through:
        pass_through(model)
    return model


def describe_recipe(recipe: Recipe, output: Path) -> None:
    """Measure and describe every version of a model again, with the weights that it has."""
    for number, release in enumerate(recipe.releases):
        folder = output / f"{recipe.name}-{release.version}"
        before = msgspec.json.decode((folder / "metrics.json").read_bytes(), type=Metrics)
        _publish(load_folder(folder), recipe, number, before.training_seconds, output)


class Drawings(Dataset[Batch]):
    """The training images of version `number` of a model, one for each step, drawn when asked for."""

    def __init__(self, recipe: Recipe, number: int) -> None:
        """Load the template once, before workers are forked."""
        self.recipe, self.number, self.template = recipe, number, mni152()

    def __len__(self) -> int:
        """Count the steps."""
        return self.recipe.releases[self.number].steps

    def __getitem__(self, index: int) -> Batch:
        """Draw the image of a step; its seed is the step, whoever draws it and when."""
        size = np.random.default_rng((TRAINING_SEED, self.number, index)).random()
        seed = (TRAINING_SEED, self.number, index, 0)
        x, y, z = np.random.default_rng(seed).uniform(-1, 1, 3)
        drawn = draw(self.template, self.recipe.frame(size, (x, y, z)), seed, self.recipe.contrast)
        labels = drawn.tissue if self.recipe.target == "tissue" else drawn.brain
        # The intensity rule of the manifest ends at 1, which is near white matter.
        return drawn.image.clamp_max(1)[None, None], labels[None].long()


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
