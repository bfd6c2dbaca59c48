"""Draw a training image with its labels from the template: one seed, one image.

    affine + elastic warp ──► tissue of the template ──┐
    random shells and textures around the brain ───────┴─► T1 contrast ─► bias, blur, noise, gamma

Half of the images keep the template's own T1 contrast; the others are painted from its tissue
maps with random means, as proposed by Billot et al., "SynthSeg", Medical Image Analysis 2023,
doi:10.1016/j.media.2023.102789. The template is skull-stripped, so a head is painted around most
of the brains, and some stay stripped.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional

from training.demo.template import CSF_VALUE, GREY_VALUE, WHITE_VALUE, Template, sample

BACKGROUND, GREY, WHITE, OTHER = range(4)
"""Values of the tissue labels."""


class Frame(msgspec.Struct, frozen=True):
    """Where an image lies in MNI space before the warp: sizes in voxels, the rest in mm, RAS+."""

    shape: tuple[int, int, int]
    spacing: float
    centre: tuple[float, float, float]

    def points(self) -> Tensor:
        """Give the centre of every voxel, (X, Y, Z, 3) float32 in mm."""
        axes = [
            (torch.arange(size, dtype=torch.float32) - (size - 1) / 2) * self.spacing + centre
            for size, centre in zip(self.shape, self.centre, strict=True)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


class Contrast(msgspec.Struct, frozen=True):
    """How far the brightness of images may differ; each a range, or the largest deviation.

    grey: mean of grey matter where white matter is 1. power: exponent on the template's own contrast.
    bias: deviation of the logarithm of the bias field. gamma: exponent on the whole image.
    gain: white matter in the image that is drawn.
    """

    grey: tuple[float, float]
    power: tuple[float, float]
    bias: float
    gamma: tuple[float, float]
    gain: tuple[float, float]


WIDE = Contrast(grey=(0.62, 0.88), power=(0.8, 1.5), bias=0.22, gamma=(0.8, 1.25), gain=(0.6, 1.0))
"""For shapes: whatever the scanner made of it, the brain has the form of a brain."""
USUAL = Contrast(grey=(0.7, 0.82), power=(0.95, 1.3), bias=0.07, gamma=(0.93, 1.07), gain=(0.82, 0.97))
"""For tissue: a good T1 without strong shading. Wider, a bias field exceeds the contrast to be seen."""


class Drawn(msgspec.Struct, frozen=True):
    """An image (X, Y, Z) float32 >= 0 with white matter at 0.5 to 1.1, and its labels, both uint8.

    `tissue` has the values of this module, `brain` is 0 or 1.
    """

    image: Tensor
    tissue: Tensor
    brain: Tensor


def draw(template: Template, frame: Frame, seed: Sequence[int], contrast: Contrast = WIDE) -> Drawn:
    """Draw the image of a seed; equal seeds give equal images on every machine."""
    rng = np.random.default_rng(list(seed))
    points = _warp(rng, frame)
    t1, grey, white, brain = sample(template.tissue, points)
    distance = sample(template.distance, points, padding="border")[0]
    inside = brain > 0.5
    stripped = rng.random() < 0.25
    painted = rng.random() < 0.6

    csf = (1 - grey - white).clamp_min(0)
    chances = torch.stack([grey, white, csf]) + 1e-3
    values = torch.tensor([GREY, WHITE, OTHER])
    label = values[chances.argmax(0)]
    if painted:
        own = label
        label = values[(chances * _anatomy(rng, frame)).argmax(0)]
        image = _paint(rng, t1, own, label, contrast)
    else:
        image = _power(rng, t1, contrast)
    tissue = torch.where(inside, label, torch.tensor(BACKGROUND))
    if stripped:
        image = torch.where(inside, image, torch.tensor(0.0))
    else:
        head, around = _head(rng, frame, points, distance)
        image = torch.where(inside, image, around)
        tissue = torch.where(head & ~inside, torch.tensor(OTHER), tissue)
    image = _acquire(rng, frame, image, contrast)
    return Drawn(image, tissue.to(torch.uint8), inside.to(torch.uint8))


def _warp(rng: Generator, frame: Frame) -> Tensor:
    """Move the voxels of the frame into the template: flip, rotation, scale, shear, elastic."""
    angles = rng.normal(0, 0.17, 3).clip(-0.5, 0.5)
    sines, cosines = np.sin(angles), np.cos(angles)
    rotation = np.eye(3)
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = cosines[axis]
        turn[i, j], turn[j, i] = -sines[axis], sines[axis]
        rotation = rotation @ turn
    scale = np.diag(1 / (rng.uniform(0.8, 1.1) * rng.uniform(0.94, 1.06, 3)))
    scale[0] *= rng.choice([-1, 1])
    shear = np.eye(3) + np.triu(rng.uniform(-0.06, 0.06, (3, 3)), 1)
    matrix = torch.from_numpy((shear @ scale @ rotation).astype(np.float32))
    shift = torch.from_numpy(rng.uniform(-8, 8, 3).astype(np.float32))
    elastic = torch.stack([_noise(rng, frame, step=28.0) for _ in range(3)], dim=-1)
    fine = torch.stack([_noise(rng, frame, step=10.0) for _ in range(3)], dim=-1)
    moved = (frame.points() + shift) @ matrix.T
    return moved + float(rng.uniform(0, 4)) * elastic + float(rng.uniform(0, 1.2)) * fine


def _noise(rng: Generator, frame: Frame, step: float) -> Tensor:
    """Draw smooth noise with about unit deviation whose knots are `step` mm apart."""
    knots = [max(2, round(size * frame.spacing / step) + 1) for size in frame.shape]
    values = torch.from_numpy(rng.standard_normal(knots).astype(np.float32))
    return _resize(values, frame.shape)


def _resize(values: Tensor, shape: Sequence[int]) -> Tensor:
    """Interpolate linearly to another shape; the outermost voxels keep their places."""
    wide = functional.interpolate(values[None, None], size=list(shape), mode="trilinear", align_corners=True)
    return wide[0, 0]


def _anatomy(rng: Generator, frame: Frame) -> Tensor:
    """Draw factors on the tissue probabilities: thicker, thinner and rougher cortex, wider sulci.

    The template is the mean of 152 people; a single brain has sharper gyri and deeper sulci.
    """
    strength = rng.uniform(0.1, 0.9)
    factors = torch.stack([(strength * _noise(rng, frame, step=6.0)).exp() for _ in range(3)])
    favour = np.exp(np.array([rng.normal(0, 0.35), rng.normal(0, 0.35), rng.uniform(0, 1.6)]))
    return factors * torch.from_numpy(favour.astype(np.float32))[:, None, None, None]


def _paint(rng: Generator, t1: Tensor, own: Tensor, label: Tensor, contrast: Contrast) -> Tensor:
    """Give every tissue a random T1 mean, and keep some of the template's detail within it.

    own: the template's labels. Where `label` differs, the detail is left out: it would paint the old
        tissue back, and the label would be wrong for what is seen.
    """
    grey = rng.uniform(*contrast.grey)
    csf = rng.uniform(0.08, grey - 0.25)
    usual = torch.tensor([0.0, GREY_VALUE, WHITE_VALUE, CSF_VALUE])[own]
    means = torch.tensor([0.0, grey, 1.0, csf])[label]
    detail = rng.uniform(0.2, 1.0) * (t1 - usual).clamp(-0.2, 0.2)
    return (means + torch.where(own == label, detail, torch.tensor(0.0))).clamp_min(0)


def _power(rng: Generator, t1: Tensor, contrast: Contrast) -> Tensor:
    """Change the contrast of the template's T1, white matter staying at 1."""
    image = (t1 / WHITE_VALUE).clamp_min(0)
    return image ** float(rng.uniform(*contrast.power))


def _head(rng: Generator, frame: Frame, points: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
    """Paint CSF, skull with marrow, scalp, face and neck around the brain.

    Returns where the head is, and the intensity of everything outside of the brain.
    """
    rough = _noise(rng, frame, step=24.0)
    csf_end = (rng.uniform(0.5, 4.0) + 1.0 * _noise(rng, frame, step=14.0)).clamp_min(0.2)
    skull_end = csf_end + (rng.uniform(3.5, 8.0) + 1.2 * rough).clamp_min(1.5)
    scalp_end = skull_end + (rng.uniform(2.5, 10.0) + 1.5 * _noise(rng, frame, step=30.0)).clamp_min(1.0)
    x, y, z = (points - torch.from_numpy(rng.uniform(-6, 6, 3).astype(np.float32))).unbind(-1)
    lift = 6 * rough
    face = (x / 68) ** 2 + ((y - 22) / (78 + lift)) ** 2 + ((z + 62) / 82) ** 2 < 1
    neck = ((x / 62) ** 2 + ((y + 25) / (66 + lift)) ** 2 < 1) & (z < -45)
    if rng.random() < 0.3:
        neck &= z > rng.uniform(-130, -60)
        face &= z > rng.uniform(-130, -60)
    shell = distance < scalp_end
    head = shell | face | neck

    soft = _texture(rng, frame)
    marrow = float(rng.uniform(0.1, 0.9))
    depth = (distance - csf_end) / (skull_end - csf_end)
    bone = float(rng.uniform(0.0, 0.25)) + marrow * torch.exp(-(((depth - 0.5) / 0.2) ** 2))
    scalp = float(rng.uniform(0.3, 1.4)) * (0.8 + 0.3 * soft)
    values = torch.where(distance < scalp_end, scalp, soft)
    # Below the brain the skull base is irregular: texture shows through the shells.
    base = (z < -35 + 10 * rough) & (rng.random() < 0.7)
    values = torch.where((distance < skull_end) & ~base, bone, values)
    values = torch.where(base, soft, values)
    fluid = float(rng.uniform(0.05, 0.45)) * (1 + 0.2 * _noise(rng, frame, step=5.0))
    values = torch.where(distance < csf_end, fluid, values)
    return head, torch.where(head, values, torch.tensor(0.0)).clamp_min(0)


def _texture(rng: Generator, frame: Frame) -> Tensor:
    """Draw blobs of air, bone, muscle and fat at the sizes that a face has."""
    field = 0.8 * _noise(rng, frame, step=16.0) + 0.6 * _noise(rng, frame, step=7.0)
    values = torch.tensor(
        [rng.uniform(0, 0.1), rng.uniform(0.05, 0.4), rng.uniform(0.35, 0.8), rng.uniform(0.5, 1.6)],
        dtype=torch.float32,
    )
    edges = torch.tensor(np.sort(rng.uniform(-1.0, 1.2, 3)).astype(np.float32))
    return values[torch.bucketize(field, edges)]


def _acquire(rng: Generator, frame: Frame, image: Tensor, contrast: Contrast) -> Tensor:
    """Imitate the scanner: blur, bias field, gamma, Rician noise, gain."""
    image = _blur(image, float(rng.uniform(0.0, 0.9)) / frame.spacing)
    if rng.random() < 0.25:
        image = _thicken(
            image, axis=int(rng.integers(3)), factor=float(rng.uniform(1.2, 2.2)) / frame.spacing
        )
    image = image * (float(rng.uniform(0, contrast.bias)) * _noise(rng, frame, step=75.0)).exp()
    image = image.clamp_min(0) ** float(rng.uniform(*contrast.gamma))
    deviation = float(rng.uniform(0, 0.06))
    real, imaginary = (
        torch.from_numpy(rng.standard_normal(frame.shape, dtype=np.float32)) * deviation for _ in range(2)
    )
    noisy = ((image + real) ** 2 + imaginary**2).sqrt()
    masked = rng.random() < 0.5
    gain = float(rng.uniform(*contrast.gain))
    return gain * (torch.where(image > 0.01, noisy, torch.tensor(0.0)) if masked else noisy)


def _blur(image: Tensor, sigma: float) -> Tensor:
    if sigma < 0.2:
        return image
    reach = torch.arange(-3, 4, dtype=torch.float32)
    kernel = torch.exp(-((reach / sigma) ** 2) / 2)
    kernel = kernel / kernel.sum()
    volume = image[None, None]
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[axis + 2] = 7
        padding = [0, 0, 0]
        padding[axis] = 3
        volume = functional.conv3d(volume, kernel.reshape(shape), padding=tuple(padding))
    return volume[0, 0]


def _thicken(image: Tensor, *, axis: int, factor: float) -> Tensor:
    if factor <= 1:
        return image
    size = list(image.shape)
    size[axis] = max(2, round(size[axis] / factor))
    return _resize(_resize(image, size), image.shape)
