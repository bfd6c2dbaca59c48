"""What is trained: two models, each in two versions of which the second goes on from the first."""

from __future__ import annotations

from typing import Literal

import msgspec

from training.demo.augmentation import USUAL, WIDE, Contrast, Frame

Target = Literal["tissue", "brain"]

HELD_OUT_SEED = 60221
"""First number of every seed that only the measurement uses; training uses `TRAINING_SEED`."""
TRAINING_SEED = 20


class Release(msgspec.Struct, frozen=True):
    """One version: how many steps it adds to the version before, and how fast they go."""

    version: str
    steps: int
    learning_rate: float


class Recipe(msgspec.Struct, frozen=True):
    """One demonstration model: its network, the images it sees, and its versions in order.

    A step sees one image of a size between `smallest` and `largest` voxels of `spacing` mm; its centre
    is drawn within `reach` mm of `middle`, in MNI space.
    `pass_through` says whether training starts from a network that does so, or from random kernels.
    `held_out` is the frame of the images that measure it.
    """

    name: str
    target: Target
    labels: tuple[str, ...]
    filters: int
    dilations: tuple[int, ...]
    normalisation: Literal["instance"] | None
    pass_through: bool
    contrast: Contrast
    spacing: float
    smallest: tuple[int, int, int]
    largest: tuple[int, int, int]
    middle: tuple[float, float, float]
    reach: tuple[float, float, float]
    held_out: Frame
    held_out_images: int
    releases: tuple[Release, ...]

    def frame(self, size: float, offset: tuple[float, float, float]) -> Frame:
        """Place a patch.

        size: 0 to 1, from the smallest to the largest; sizes are multiples of 8.
        offset: -1 to 1 along each axis, the ends being `reach` away from the middle.
        """
        spans = zip(self.smallest, self.largest, strict=True)
        x, y, z = (low + 8 * round(size * (high - low) / 8) for low, high in spans)
        places = zip(self.middle, self.reach, offset, strict=True)
        right, front, top = (middle + reach * share for middle, reach, share in places)
        return Frame((x, y, z), self.spacing, (right, front, top))


RECIPES = (
    Recipe(
        name="mni152-brain-mask",
        target="brain",
        labels=("background", "brain"),
        filters=8,
        dilations=(1, 2, 4, 8, 4, 2, 1),
        # Whole heads are cheap at 3 mm, so each is normalised by its own statistics, in training as in use.
        normalisation="instance",
        pass_through=False,
        contrast=WIDE,
        spacing=3.0,
        smallest=(48, 56, 48),
        largest=(80, 88, 80),
        middle=(0.0, -15.0, -10.0),
        reach=(12.0, 16.0, 20.0),
        held_out=Frame((72, 88, 72), 3.0, (0.0, -15.0, -12.0)),
        held_out_images=8,
        releases=(
            Release("1.0.0", 100, 1e-2),
            Release("1.1.0", 350, 8e-3),
        ),
    ),
    Recipe(
        name="mni152-tissue",
        target="tissue",
        labels=("background", "grey matter", "white matter", "other"),
        filters=8,
        dilations=(1, 2, 4, 8, 4, 2, 1),
        # Contrast between tissues must not depend on how much air a scan holds: no statistics, which also
        # lets small images stand for a part of a head. Borders are fine detail, which random kernels
        # learn last.
        normalisation=None,
        pass_through=True,
        contrast=USUAL,
        spacing=2.0,
        smallest=(40, 48, 40),
        largest=(72, 80, 72),
        middle=(0.0, -15.0, -6.0),
        reach=(45.0, 55.0, 50.0),
        held_out=Frame((104, 120, 104), 2.0, (0.0, -15.0, -10.0)),
        held_out_images=8,
        releases=(
            Release("1.0.0", 150, 4e-3),
            Release("1.1.0", 500, 3e-3),
        ),
    ),
)
