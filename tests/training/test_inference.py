"""Scans are labelled as the manifest says, and labels come back on the scan's own grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from registry_client.manifest import (
    Architecture,
    Class,
    Crop,
    Inference,
    Input,
    Intensity,
    Manifest,
    Output,
    Size,
    Step,
)

pytestmark = pytest.mark.xdist_group("torch")

RADIUS = 9.0


def _manifest(*steps: Step, inference: Inference | None = None, **source: Any) -> Manifest:
    return Manifest(
        architecture=Architecture(name="meshnet", dim=3, version=1),
        task="segmentation",
        inputs=(Input(modality="MR", **source),),
        outputs=(Output(classes=(Class(value=0, name="background"), Class(value=7, name="bright"))),),
        inference=inference,
        postprocessing=steps,
    )


def _threshold():  # noqa: ANN202  # a torch module
    """Build a network that calls voxels above 0.5 bright."""
    import torch
    from torch import nn

    model = nn.Conv3d(1, 2, 1)
    with torch.no_grad():
        model.weight[:] = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1, 1)
        assert model.bias is not None
        model.bias[:] = torch.tensor([0.5, 0.0])
    return model


def _scan(spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), size: int = 40):  # noqa: ANN202  # nibabel's type
    """Draw a sphere off the middle, intensity 1 in 0, in RAS."""
    import nibabel as nib

    shape = [round(size / step) for step in spacing]
    axes = np.meshgrid(
        *[(np.arange(n) + 0.5) * step for n, step in zip(shape, spacing, strict=True)], indexing="ij"
    )
    far = (axes[0] - 14) ** 2 + (axes[1] - 18) ** 2 + (axes[2] - 24) ** 2
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-10, 5, 3)
    return nib.Nifti1Image((far < RADIUS**2).astype(np.float32), affine)


def _labels(image: Any) -> np.ndarray:
    return np.asarray(image.dataobj)


def test_labels_carry_the_class_values_and_the_grid_of_the_scan() -> None:
    from training.inference import segment

    scan: Any = _scan()
    labels: Any = segment(_threshold(), scan, _manifest(orientation="RAS"))

    assert labels.get_data_dtype() == np.uint8
    assert labels.affine.tolist() == scan.affine.tolist()
    assert np.array_equal(_labels(labels), 7 * (scan.get_fdata() > 0.5))


@pytest.mark.parametrize("stored", ["RAS", "LIA", "PSR", "SAL", "LPS"])
def test_orientation_of_the_file_does_not_change_the_labels(stored: str) -> None:
    import nibabel as nib
    import torch
    from nibabel import orientations

    from training.inference import segment

    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 2, 3, padding=1)  # not symmetric: notices a flip
    manifest = _manifest(orientation="RAS")
    scan: Any = _scan(spacing=(1.0, 1.25, 2.0))
    turn = orientations.ornt_transform(
        orientations.io_orientation(scan.affine), orientations.axcodes2ornt(tuple(stored))
    )
    turned = segment(network, scan.as_reoriented(turn), manifest)

    assert nib.aff2axcodes(turned.affine) == tuple(stored)
    back = nib.as_closest_canonical(turned)
    assert np.array_equal(_labels(back), _labels(segment(network, scan, manifest)))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.0, 2.0)])
def test_a_sphere_keeps_its_volume_when_the_model_works_at_another_spacing(
    spacing: tuple[float, float, float],
) -> None:
    from training.inference import segment

    scan = _scan(spacing=spacing)
    labels = segment(_threshold(), scan, _manifest(orientation="RAS", spacing=(2.0, 2.0, 2.0)))

    found = (_labels(labels) == 7).sum() * np.prod(spacing)
    expected = 4 / 3 * np.pi * RADIUS**3
    assert labels.shape == scan.shape
    # One 2 mm voxel at a surface of 1,018 mm² is 2,036 mm³; half-voxel rounding stays within a tenth.
    assert found == pytest.approx(expected, rel=0.1)
    centre = np.array(np.nonzero(_labels(labels))).mean(axis=1) * spacing
    assert centre + np.array(spacing) / 2 == pytest.approx([14, 18, 24], abs=0.5)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Intensity(rule="none"), [0, 2, 4, 10]),
        (Intensity(rule="min_max"), [0, 0.2, 0.4, 1]),
        (Intensity(rule="min_max", range=(-1, 1)), [-1, -0.6, -0.2, 1]),
        (Intensity(rule="min_max", scope="foreground"), [0, 0, 0.25, 1]),
        (Intensity(rule="window", lower=2, upper=6), [0, 0, 0.5, 1]),
        (Intensity(rule="percentiles", lower=0, upper=100), [0, 0.2, 0.4, 1]),
        (Intensity(rule="z_score", mean=4, deviation=2), [-2, -1, 0, 3]),
        (Intensity(rule="z_score"), [-1.0690, -0.5345, 0, 1.6036]),
    ],
)
def test_intensity_rules_give_known_values(rule: Intensity, expected: list[float]) -> None:
    from training.inference import normalise

    values = np.array([0, 2, 4, 10], dtype=np.float32)

    assert normalise(values, rule) == pytest.approx(expected, abs=1e-4)


def test_a_constant_scan_is_normalised_without_dividing_by_zero() -> None:
    from training.inference import normalise

    for rule in ("min_max", "z_score"):
        assert not normalise(np.full((4, 4), 3, np.float32), Intensity(rule=rule)).any()


def test_not_a_number_is_read_as_zero() -> None:
    from training.inference import segment

    scan = _scan()
    values = scan.get_fdata().astype(np.float32)
    values[0] = np.nan
    labels = segment(_threshold(), type(scan)(values, scan.affine), _manifest())

    assert not _labels(labels)[0].any()
    assert _labels(labels).any()


def test_crop_size_rule_and_sliding_window_do_not_move_the_labels() -> None:
    from training.inference import segment

    scan = _scan()
    expected = 7 * (scan.get_fdata() > 0.5)
    for manifest in (
        _manifest(crop=Crop(rule="foreground", margin=2)),
        _manifest(size=Size(rule="multiple_of", value=16)),
        _manifest(size=Size(rule="fixed", value=48)),
        _manifest(inference=Inference(mode="sliding_window", patch=(16, 16, 16), overlap=0.5)),
    ):
        assert np.array_equal(_labels(segment(_threshold(), scan, manifest)), expected)


def test_outside_of_a_crop_lies_the_background_of_a_resampled_scan() -> None:
    from training.inference import segment

    manifest = _manifest(orientation="RAS", spacing=(2.0, 2.0, 2.0), crop=Crop(rule="foreground"))
    labels = _labels(segment(_threshold(), _scan(), manifest))

    assert set(np.unique(labels)) == {0, 7}
    assert not labels[0].any()


def test_the_largest_component_stays() -> None:
    from training.inference import segment

    scan = _scan()
    values = scan.get_fdata().astype(np.float32)
    values[35:38, 35:38, 2:5] = 1
    labels = segment(
        _threshold(), type(scan)(values, scan.affine), _manifest(Step(op="keep_largest_component"))
    )

    assert np.array_equal(_labels(labels), 7 * (scan.get_fdata() > 0.5))


def test_small_components_go_and_holes_are_filled() -> None:
    from training.inference import segment

    scan = _scan()
    values = scan.get_fdata().astype(np.float32)
    values[14, 18, 24] = 0
    values[37, 37, 2] = 1
    steps = (Step(op="fill_holes"), Step(op="remove_small_components", extra={"size": 5}))
    labels = segment(_threshold(), type(scan)(values, scan.affine), _manifest(*steps))

    assert np.array_equal(_labels(labels), 7 * (scan.get_fdata() > 0.5))


def test_what_does_not_fit_is_refused_with_the_reason() -> None:
    from training.inference import InputError, segment

    scan = _scan()
    model = _threshold()
    several = type(scan)(np.zeros((4, 4, 4, 2), np.float32), np.eye(4))
    with pytest.raises(InputError, match=r"one 3D volume, got shape `\(4, 4, 4, 2\)`"):
        segment(model, several, _manifest())
    with pytest.raises(InputError, match="at most"):
        segment(model, scan, _manifest(size=Size(rule="fixed", value=16)))
    with pytest.raises(ValueError, match="`wobble` is not known"):
        segment(model, scan, _manifest(Step(op="wobble")))
    with pytest.raises(ValueError, match="6, 18 or 26, got `5`"):
        segment(model, scan, _manifest(Step(op="keep_largest_component", extra={"connectivity": 5})))
    with pytest.raises(TypeError, match="has no manifest"):
        segment(model, scan)
    with pytest.raises(ValueError, match="takes"):
        segment(model, scan, _manifest(channels=2))
