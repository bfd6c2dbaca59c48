"""The training loop of the demonstration models, and what it optimises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

Batch = tuple[Tensor, Tensor]
"""Images (N, 1, X, Y, Z) float32 and their labels (N, X, Y, Z) int64."""
Report = Callable[[int, float], None]


def train(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    steps: int,
    learning_rate: float,
    report: Report | None = None,
) -> None:
    """Train a segmentation network in place, one step for each of `steps` batches.

    The learning rate rises over the first tenth and falls to 0 along a cosine.
    """
    model.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]  # missing in torch's stubs
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=1e-4)
    # The rise needs two steps, or the schedule divides by zero.
    rise = max(0.1, 2 / steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, steps, pct_start=rise)
    for step, (image, labels) in enumerate(itertools.islice(batches, steps)):
        logits = model(image.contiguous(memory_format=torch.channels_last_3d))
        loss = segmentation_loss(logits, labels)
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
