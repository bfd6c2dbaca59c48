"""Training images are drawn from the template by seed."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("torch")

SHAPE = (48, 56, 48)


def _draw(*seed: int):  # noqa: ANN202  # the type lives in a module that imports torch
    from training.demo.augmentation import Frame, draw
    from training.demo.template import mni152

    return draw(mni152(), Frame(SHAPE, 4.0, (0.0, -18.0, 0.0)), seed)


def test_the_same_seed_draws_the_same_image() -> None:
    first, second = _draw(1, 2), _draw(1, 2)

    assert first.image.equal(second.image)
    assert first.tissue.equal(second.tissue)
    assert first.brain.equal(second.brain)


def test_another_seed_draws_another_image() -> None:
    first, second = _draw(1, 2), _draw(1, 3)

    assert not first.image.equal(second.image)
    assert not first.tissue.equal(second.tissue)


@pytest.mark.parametrize("index", range(8))
def test_tissue_labels_are_a_head_with_one_brain(index: int) -> None:
    drawn = _draw(5, index)

    tissue, brain = drawn.tissue.numpy(), drawn.brain.numpy().astype(bool)
    litres = np.bincount(tissue.ravel(), minlength=4) * 4**3 / 1e6
    assert tissue.shape == SHAPE
    assert not np.isin(tissue[brain], [0]).any(), "the brain is never background"
    assert np.isin(tissue[~brain], [0, 3]).all(), "grey and white matter lie inside the brain"
    # 152 adults average 1.9 L in this template; scaling spans 0.73 to 1.27 of each side at most.
    assert 0.6 < litres[1] + litres[2] < 3.2
    assert np.isfinite(drawn.image.numpy()).all()
    assert drawn.image.min() >= 0


def test_white_matter_is_brighter_than_grey_matter_and_fluid() -> None:
    for index in range(8):
        drawn = _draw(6, index)
        image, tissue = drawn.image.numpy(), drawn.tissue.numpy()
        assert np.median(image[tissue == 2]) > np.median(image[tissue == 1])


def test_some_images_are_stripped_and_some_have_a_head() -> None:
    outside = [bool((_draw(7, index).tissue.numpy() == 3).mean() > 0.15) for index in range(12)]

    assert any(outside)
    assert not all(outside)


def test_points_of_a_frame_are_voxel_centres_in_millimetres() -> None:
    from training.demo.augmentation import Frame

    points = Frame((3, 3, 5), 2.0, (10.0, 0.0, -1.0)).points()

    assert points[0, 0, 0].tolist() == [8.0, -2.0, -5.0]
    assert points[2, 2, 4].tolist() == [12.0, 2.0, 3.0]


def test_the_template_is_a_brain_with_the_distance_to_it() -> None:
    from training.demo.template import mni152, sample

    template = mni152()
    t1, grey, white, brain = template.tissue.values
    voxels = float(brain.sum())

    assert 1.8e6 < voxels < 2.0e6  # mm³, the published mask has 1.88 L
    assert float((t1 * (1 - brain)).mean()) < 1e-3, "the template is skull-stripped"
    assert float((grey + white).max()) < 1.01
    import torch

    places = torch.tensor([[[[0.0, -20.0, 10.0], [0.0, -20.0, 120.0]]]])
    inside, above = sample(template.distance, places)[0].flatten().tolist()
    assert inside < -10
    assert 30 < above < 60
