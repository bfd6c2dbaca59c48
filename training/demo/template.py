"""The MNI152 template as training material.

nilearn ships the T1 image (skull-stripped) with its grey- and white-matter maps inside the
package, so nothing is downloaded. What the template lacks, a head around the brain, is drawn by
`augmentation` from the distance to the brain that is computed here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CSF_VALUE, GREY_VALUE, WHITE_VALUE = 0.395, 0.653, 0.839
"""Mean of the template's T1 in each tissue, on its own scale of 0 to 1."""

_DISTANCE_SPACING = 2.0
_DISTANCE_SHAPE = (140, 160, 160)
_DISTANCE_ORIGIN = (-140.0, -165.0, -190.0)


class Field(msgspec.Struct, frozen=True):
    """Channels on a regular grid: values (C, X, Y, Z) float32, RAS+, in MNI millimetres."""

    values: Tensor
    origin: tuple[float, float, float]
    spacing: float

    def normalised(self, points: Tensor) -> Tensor:
        """Turn points (..., 3) in mm into the coordinates of `grid_sample`, z first."""
        sizes = torch.tensor(self.values.shape[1:], dtype=torch.float32)
        index = (points - torch.tensor(self.origin)) / self.spacing
        return (2 * index / (sizes - 1) - 1).flip(-1)


class Template(msgspec.Struct, frozen=True):
    """`tissue` holds T1, grey, white and brain, each 0 to 1; `distance` the mm to the brain.

    The distance is negative inside the brain.
    """

    tissue: Field
    distance: Field


@lru_cache(maxsize=1)
def mni152() -> Template:
    """Load the template from nilearn's own files; the answer is shared, never write to it."""
    from nilearn import datasets

    images = [
        datasets.load_mni152_template(resolution=1),
        datasets.load_mni152_gm_template(resolution=1),
        datasets.load_mni152_wm_template(resolution=1),
        datasets.load_mni152_brain_mask(resolution=1),
    ]
    values = np.stack([np.asarray(image.dataobj, dtype=np.float32) for image in images])
    x, y, z = (float(value) for value in images[0].affine[:3, 3])
    tissue = Field(torch.from_numpy(values), (x, y, z), 1.0)
    return Template(tissue, _distance_to(tissue))


def _distance_to(tissue: Field) -> Field:
    """Measure the distance to the brain on a coarser and larger grid, which a head fits in."""
    corner = torch.tensor(_DISTANCE_ORIGIN)
    ranges = [torch.arange(size, dtype=torch.float32) * _DISTANCE_SPACING for size in _DISTANCE_SHAPE]
    points = torch.stack(torch.meshgrid(*ranges, indexing="ij"), dim=-1) + corner
    brain = sample(tissue, points)[3].numpy() > 0.5
    outside, inside = (_depth(mask) * _DISTANCE_SPACING for mask in (~brain, brain))
    signed = np.where(brain, _DISTANCE_SPACING / 2 - inside, outside - _DISTANCE_SPACING / 2)
    return Field(torch.from_numpy(signed.astype(np.float32))[None], _DISTANCE_ORIGIN, _DISTANCE_SPACING)


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the distance of every voxel of a mask to the nearest voxel outside, in voxels."""
    from scipy import ndimage

    return cast("NDArray[np.float64]", ndimage.distance_transform_edt(mask))


def sample(field: Field, points: Tensor, *, padding: str = "zeros") -> Tensor:
    """Interpolate a field linearly at points (X, Y, Z, 3) in mm; (C, X, Y, Z).

    Outside of the field the answer is 0, or with `padding="border"` the nearest value.
    """
    grid = field.normalised(points)[None]
    return torch.nn.functional.grid_sample(
        field.values[None], grid, mode="bilinear", padding_mode=padding, align_corners=True
    )[0]
