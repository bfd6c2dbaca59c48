"""Run a segmentation model on a scan the way its manifest says, and give labels on the scan's grid.

    scan ─ orientation ─ spacing ─ intensity ─ crop ─ size ─► network ─► logits
    labels ◄─ orientation ◄─ post-processing ◄─ argmax ◄─ spacing ◄─ crop ◄─┘

Everything that changes the answer stands in the manifest; there are no options here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from registry_client.manifest import Input, Intensity, Manifest, Step

if TYPE_CHECKING:
    from nibabel.filebasedimages import FileBasedImage
    from nibabel.nifti1 import Nifti1Image
    from nibabel.spatialimages import SpatialImage

_AXES = 3
_SPACING_TOLERANCE = 0.01
"""Relative difference of spacing below which a scan is used as it is."""


class InputError(ValueError):
    """A scan that the model cannot take; the message says what it would take."""


class Box(msgspec.Struct, frozen=True):
    """The part [start, stop) of a volume along each axis, in voxels."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def slices(self) -> tuple[slice, ...]:
        """Give the index that cuts the box out."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))


def segment(model: nn.Module, image: FileBasedImage, manifest: Manifest | None = None) -> Nifti1Image:
    """Label every voxel of a scan.

    model: what `fetch_pretrained` returned, or a module with its `manifest`. It is switched to
        evaluation mode and runs where its parameters are.
    image: one 3D scan with one channel, any orientation and spacing; NaN is read as 0.

    Returns labels (uint8, the class values of the manifest) on the grid and with the affine of
    `image`. Equal scans and revisions give equal labels.

    Raises InputError when the scan does not fit, ValueError when the manifest asks for a step that
    is not known here.

        labels = segment(vox.fetch_pretrained("lab/mni152-tissue"), nibabel.load("t1.nii.gz"))
    """
    from nibabel import orientations
    from nibabel.nifti1 import Nifti1Image
    from nibabel.spatialimages import SpatialImage

    if not isinstance(image, SpatialImage):
        raise InputError(f"a `{type(image).__name__}` has no voxels in space; give a scan, as NIfTI")
    manifest = _manifest_of(model, manifest)
    source = _single_input(manifest)
    stored = _voxels(image)
    own = orientations.io_orientation(image.affine)
    wanted = orientations.axcodes2ornt(tuple(source.orientation)) if source.orientation else own
    there = orientations.ornt_transform(own, wanted)
    volume = orientations.apply_orientation(stored, there).astype(np.float32)
    zooms = np.sqrt((np.asarray(image.affine)[:3, :3] ** 2).sum(axis=0))
    spacing = tuple(float(zooms[int(axis)]) for axis, _ in orientations.ornt_transform(wanted, own))
    labels = label_volume(model, volume, spacing, manifest)
    back = orientations.apply_orientation(labels, orientations.ornt_transform(wanted, own))
    answer = Nifti1Image(np.ascontiguousarray(back), image.affine)
    answer.header.set_xyzt_units("mm")
    return answer


def label_volume(
    model: nn.Module,
    volume: NDArray[np.float32],
    spacing: tuple[float, ...],
    manifest: Manifest | None = None,
) -> NDArray[np.uint8]:
    """Label a volume (X, Y, Z) that lies in the model's orientation; spacing in mm per axis."""
    manifest = _manifest_of(model, manifest)
    source = _single_input(manifest)
    image = torch.from_numpy(np.ascontiguousarray(volume))[None, None]
    grid = _grid(volume.shape, spacing, source.spacing)
    if grid != volume.shape:
        image = functional.interpolate(image, size=grid, mode="trilinear")
    values = image[0, 0].numpy()
    box = _foreground(values, source)
    normal = normalise(values, source.intensity)[box.slices]
    logits = _run(model, torch.from_numpy(np.ascontiguousarray(normal))[None, None], source, manifest)
    if grid == volume.shape:
        labels = np.zeros(volume.shape, dtype=np.uint8)
        labels[box.slices] = logits.argmax(1)[0].numpy()
    else:
        whole = torch.zeros((1, logits.shape[1], *grid))
        whole[:, 0] = 1  # outside of the crop lies the first class, the background
        whole[(slice(None), slice(None), *box.slices)] = logits.softmax(1)
        whole = functional.interpolate(whole, size=volume.shape, mode="trilinear")
        labels = whole.argmax(1)[0].numpy().astype(np.uint8)
    for step in manifest.postprocessing:
        labels = _process(labels, step)
    classes = manifest.outputs[0].classes if manifest.outputs else ()
    lookup = np.arange(256, dtype=np.uint8)
    lookup[: len(classes)] = [label.value for label in classes]
    return lookup[labels]


def normalise(values: NDArray[np.float32], rule: Intensity | None) -> NDArray[np.float32]:
    """Bring intensities to what the network was trained on; a constant volume becomes 0."""
    if rule is None or rule.rule == "none":
        return values
    counted = values[values > 0] if rule.scope == "foreground" else values.ravel()
    if counted.size == 0:
        return np.zeros_like(values)
    match rule.rule:
        case "z_score":
            mean = float(counted.mean(dtype=np.float64)) if rule.mean is None else rule.mean
            deviation = float(counted.std(dtype=np.float64)) if rule.deviation is None else rule.deviation
            return ((values - mean) / (deviation or 1)).astype(np.float32)
        case "min_max":
            low, high = float(counted.min()), float(counted.max())
        case "percentiles":
            low, high = (float(q) for q in np.percentile(counted, [rule.lower or 0, rule.upper or 100]))
        case "window":
            low, high = rule.lower or 0.0, rule.upper or 0.0
    start, stop = rule.range or (0.0, 1.0)
    share = (values.clip(low, high) - low) / ((high - low) or 1)
    return (start + share * (stop - start)).astype(np.float32)


def _manifest_of(model: nn.Module, manifest: Manifest | None) -> Manifest:
    found = getattr(model, "manifest", None) if manifest is None else manifest
    if not isinstance(found, Manifest):
        raise TypeError(
            f"`{type(model).__name__}` has no manifest; pass `manifest=`, or fetch the model with "
            "fetch_pretrained"
        )
    if found.task != "segmentation":
        raise ValueError(f"the task of this model is `{found.task}`; only `segmentation` gives labels")
    return found


def _single_input(manifest: Manifest) -> Input:
    if len(manifest.inputs) != 1 or manifest.inputs[0].channels != 1:
        raise ValueError(
            f"the model takes {[(i.name, i.channels) for i in manifest.inputs]}; "
            "only models of one image with one channel run here"
        )
    return manifest.inputs[0]


def _voxels(image: SpatialImage) -> NDArray[np.float32]:
    """Read the voxels (X, Y, Z) float32 and check that they are one finite 3D scan."""
    values = np.asarray(image.dataobj, dtype=np.float32)
    while values.ndim > _AXES and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != _AXES:
        raise InputError(f"the scan must be one 3D volume, got shape `{values.shape}`; select a volume")
    if min(values.shape) < 2:
        raise InputError(f"the scan must have 2 voxels or more per axis, got shape `{values.shape}`")
    return np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _grid(
    shape: tuple[int, ...], spacing: tuple[float, ...], wanted: tuple[float, ...] | None
) -> tuple[int, ...]:
    """Give the sizes that keep the field of view at the wanted spacing."""
    if wanted is None:
        return shape
    if not all(math.isfinite(step) and step > 0 for step in spacing):
        raise InputError(f"spacing must be > 0 mm, got `{spacing}`; repair the scan's header")
    return tuple(
        size if abs(step / want - 1) < _SPACING_TOLERANCE else max(1, round(size * step / want))
        for size, step, want in zip(shape, spacing, wanted, strict=True)
    )


def _foreground(values: NDArray[np.float32], source: Input) -> Box:
    """Find the box of the foreground with its margin; the whole volume where there is no rule."""
    whole = Box((0,) * values.ndim, values.shape)
    if source.crop is None:
        return whole
    mask = values > source.crop.threshold
    if not mask.any():
        return whole
    starts, stops = list[int](), list[int]()
    for axis in range(values.ndim):
        others = tuple(other for other in range(values.ndim) if other != axis)
        places = np.flatnonzero(mask.any(axis=others))
        starts.append(max(0, int(places[0]) - source.crop.margin))
        stops.append(min(values.shape[axis], int(places[-1]) + 1 + source.crop.margin))
    return Box(tuple(starts), tuple(stops))


def _run(model: nn.Module, image: Tensor, source: Input, manifest: Manifest) -> Tensor:
    """Run the network on (1, 1, X, Y, Z) and return logits (1, C, X, Y, Z) on the processor."""
    shape = tuple(image.shape[2:])
    padded = _padded(shape, source)
    if padded != shape:
        # functional.pad counts from the last axis: (before, after) of z, then y, then x.
        margins = [
            m for want, size in zip(reversed(padded), reversed(shape), strict=True) for m in (0, want - size)
        ]
        image = functional.pad(image, margins)
    how = manifest.inference
    model.eval()
    parameter = next(model.parameters(), None)
    image = image if parameter is None else image.to(parameter.device, parameter.dtype)
    with torch.inference_mode():
        if how is not None and how.mode == "sliding_window":
            from monai.inferers.utils import sliding_window_inference

            logits = cast(
                "Tensor",
                sliding_window_inference(image, how.patch or (), 1, model, overlap=how.overlap or 0.25),
            )
        else:
            logits = model(image)
    return logits.float().cpu()[(slice(None), slice(None), *(slice(0, size) for size in shape))]


def _padded(shape: tuple[int, ...], source: Input) -> tuple[int, ...]:
    """Give the sizes to pad to, so that the size rule holds."""
    if source.size is None or source.size.rule == "any":
        return shape
    value = source.size.value or 1
    steps = (value,) * len(shape) if isinstance(value, int) else value
    if source.size.rule == "multiple_of":
        return tuple(-(-size // step) * step for size, step in zip(shape, steps, strict=True))
    if any(size > step for size, step in zip(shape, steps, strict=True)):
        raise InputError(f"the model takes at most `{steps}` voxels, the scan has `{shape}`; crop it")
    return tuple(steps)


def _process(labels: NDArray[np.uint8], step: Step) -> NDArray[np.uint8]:
    """Apply one step of post-processing to labels (X, Y, Z)."""
    from scipy import ndimage

    match step.op:
        case "argmax" | "softmax":
            return labels  # labels come from the argmax already, and softmax does not move it
        case "keep_largest_component" if step.extra.get("of", "label>0") == "label>0":
            parts = _components(labels > 0, step)
            if parts.max() < 2:
                return labels
            sizes = np.bincount(parts.ravel())
            sizes[0] = 0
            return np.where(parts == sizes.argmax(), labels, 0).astype(np.uint8)
        case "remove_small_components":
            parts = _components(labels > 0, step)
            small = np.bincount(parts.ravel()) < int(cast("int", step.extra.get("size", 0)))
            return np.where(small[parts], 0, labels).astype(np.uint8)
        case "fill_holes":
            holes = ndimage.binary_fill_holes(labels > 0) & (labels == 0)
            return np.where(holes, 1, labels).astype(np.uint8)
        case _:
            raise ValueError(f"post-processing step `{step.op}` is not known; update voxhub")


def _components(mask: NDArray[np.bool_], step: Step) -> NDArray[np.int32]:
    """Number the connected parts of a mask from 1; neighbours share a face unless the step says else.

    `connectivity` 6 is by faces, 18 also by edges, 26 also by corners.
    """
    from scipy import ndimage

    reach = {6: 1, 18: 2, 26: 3}.get(cast("int", step.extra.get("connectivity", 6)))
    if reach is None:
        raise ValueError(f"connectivity must be 6, 18 or 26, got `{step.extra['connectivity']}`")
    structure = ndimage.generate_binary_structure(_AXES, reach)
    parts, _ = cast("tuple[NDArray[np.int32], int]", ndimage.label(mask, structure=structure))
    return parts
