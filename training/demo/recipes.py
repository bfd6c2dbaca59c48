"""What is trained: two models, each in two versions of which the second goes on from the first."""

from __future__ import annotations

from typing import Literal

import msgspec

from training.demo.augmentation import Frame

Target = Literal["tissue", "brain"]

HELD_OUT_SEED = 777
"""First number of every seed that only the measurement uses; training uses `TRAINING_SEED`."""
TRAINING_SEED = 20


class Release(msgspec.Struct, frozen=True):
    """One version: how many steps it adds to the version before, and how fast they go."""

    version: str
    steps: int
    learning_rate: float
    message: str


class Recipe(msgspec.Struct, frozen=True):
    """One demonstration model: its network, the images it sees, and its versions in order.

    A step sees `patches` patches of `patch` voxels of `spacing` mm, each from an image of its own; their
    centres are drawn within `reach` mm of `middle`, in MNI space. `held_out` is the frame of
    the images that measure it.
    """

    name: str
    target: Target
    labels: tuple[str, ...]
    filters: int
    dilations: tuple[int, ...]
    spacing: float
    patch: tuple[int, int, int]
    patches: int
    middle: tuple[float, float, float]
    reach: tuple[float, float, float]
    held_out: Frame
    held_out_images: int
    releases: tuple[Release, ...]

    def frame(self, offset: tuple[float, float, float]) -> Frame:
        """Place a patch: `offset` is -1 to 1 along each axis, the ends being `reach` away."""
        centre = tuple(m + r * o for m, r, o in zip(self.middle, self.reach, offset, strict=True))
        return Frame(self.patch, self.spacing, centre)  # pyright: ignore[reportArgumentType]  # three by strict zip


RECIPES = (
    Recipe(
        name="mni152-brain-mask",
        target="brain",
        labels=("background", "brain"),
        filters=8,
        dilations=(1, 1, 2, 4, 8, 4, 2, 1, 1),
        spacing=2.0,
        patch=(64, 64, 64),
        patches=4,
        middle=(0.0, -15.0, -10.0),
        reach=(45.0, 55.0, 55.0),
        held_out=Frame((112, 128, 112), 2.0, (0.0, -15.0, -12.0)),
        held_out_images=8,
        releases=(
            Release("1.0.0", 80, 1e-2, "First release: 80 steps"),
            Release("1.1.0", 200, 8e-3, "Train 220 steps longer"),
        ),
    ),
    Recipe(
        name="mni152-tissue",
        target="tissue",
        labels=("background", "grey matter", "white matter", "other"),
        filters=8,
        dilations=(1, 1, 2, 4, 8, 4, 2, 1, 1),
        spacing=1.0,
        patch=(64, 64, 64),
        patches=4,
        middle=(0.0, -18.0, -4.0),
        reach=(62.0, 80.0, 70.0),
        held_out=Frame((176, 208, 184), 1.0, (0.0, -18.0, -6.0)),
        held_out_images=4,
        releases=(
            Release("1.0.0", 120, 1e-2, "First release: 120 steps"),
            Release("1.1.0", 300, 8e-3, "Train 300 steps longer"),
        ),
    ),
)
