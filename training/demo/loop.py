"""The training loop of the demonstration models, and what it optimises."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Generator

Batch = tuple[Tensor, Tensor]
"""Images (N, 1, X, Y, Z) float32 and their labels (N, X, Y, Z) int64."""
Report = Callable[[int, float], None]

_CALIBRATION_STEPS = 12
_FROZEN_SHARE = 0.15


def train(
    model: nn.Module,
    batch: Callable[[int], Batch],
    *,
    steps: int,
    learning_rate: float,
    report: Report | None = None,
) -> None:
    """Train a segmentation network in place; batch `i` is asked for exactly once, in order.

    The learning rate rises over the first tenth and falls to 0 along a cosine. A few patches are
    too few for batch statistics that hold for a whole volume: for the last part they are averaged
    over many patches and then kept, so that the network is finished in the state in which it is
    used. Earlier, at a higher rate, training with kept statistics diverges.
    """
    model.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]  # missing in torch's stubs
    model.train()
    freeze_at = round(steps * (1 - _FROZEN_SHARE))
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=1e-4)
    # The rise needs two steps, or the schedule divides by zero.
    rise = max(0.1, 2 / steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, steps, pct_start=rise)
    for step in range(steps):
        if step == freeze_at:
            _calibrate(model, batch, first=steps)
        image, labels = batch(step)
        image = image.contiguous(memory_format=torch.channels_last_3d)
        loss = segmentation_loss(model(image), labels)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if report is not None:
            report(step, loss.item())
    model.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]  # as above
    model.eval()


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus one minus the mean soft Dice of the classes that occur.

    logits: (N, C, *spatial); labels: (N, *spatial) int64.
    """
    classes = logits.shape[1]
    chances = logits.softmax(1)
    truth = functional.one_hot(labels, classes).movedim(-1, 1).to(chances.dtype)
    axes = [0, *range(2, logits.ndim)]
    overlap = (chances * truth).sum(axes)
    sizes = chances.sum(axes) + truth.sum(axes)
    present = truth.sum(axes) > 0
    dice = (2 * overlap / sizes.clamp_min(1))[present].mean()
    return functional.cross_entropy(logits, labels) + 1 - dice


@contextmanager
def _cumulative(layers: list[nn.BatchNorm3d]) -> Generator[None]:
    """Make batch normalisation average over everything it sees, then go back to its momentum."""
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    yield
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _calibrate(model: nn.Module, batch: Callable[[int], Batch], *, first: int) -> None:
    """Average the statistics of batch normalisation over patches that no step sees; keep them."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm3d)]
    if not layers:
        return
    with torch.no_grad(), _cumulative(layers):
        for index in range(first, first + _CALIBRATION_STEPS):
            model(batch(index)[0])
    for layer in layers:
        layer.eval()
