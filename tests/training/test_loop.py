"""The training loop learns, and leaves the network as it is used."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("torch")

SIZE = 20


def _sphere(index: int):  # noqa: ANN202  # torch types
    """Draw a bright sphere of a random radius at a random place, in noise."""
    import torch

    generator = torch.Generator().manual_seed(index)
    places = torch.rand(3, generator=generator) * 6 + 7
    radius = float(torch.rand(1, generator=generator)) * 3 + 3
    axes = torch.meshgrid(*[torch.arange(SIZE, dtype=torch.float32)] * 3, indexing="ij")
    far = sum((axis - place) ** 2 for axis, place in zip(axes, places, strict=True))
    labels = (far < radius**2).long()  # pyright: ignore[reportAttributeAccessIssue]  # sum of tensors
    image = labels + 0.2 * torch.randn(labels.shape, generator=generator)
    return image[None, None], labels[None]


def _dice(model: Any, index: int) -> float:
    import torch

    from training.demo.measure import dice

    image, labels = _sphere(index)
    with torch.no_grad():
        found = model(image).argmax(1)
    return dice((found == 1).numpy(), (labels == 1).numpy())


def _network(normalisation: str | None = "instance"):  # noqa: ANN202  # a torch module
    import torch

    from registry_client.architectures import fetch_architecture

    torch.manual_seed(3)
    return fetch_architecture("meshnet", dim=3)(
        (SIZE, SIZE, SIZE, 1),
        number_of_outputs=2,
        number_of_filters=8,
        dilations=(1, 2, 1),
        normalisation=normalisation,
    )


def test_sixty_steps_teach_a_small_network_to_find_a_sphere() -> None:
    from training.demo.loop import train

    model = _network().eval()
    before = _dice(model, 10_001)
    losses: list[float] = []

    train(
        model,
        map(_sphere, itertools.count()),
        steps=60,
        learning_rate=2e-2,
        report=lambda _, loss: losses.append(loss),
    )

    assert before < 0.5
    assert min(_dice(model, 10_001 + index) for index in range(5)) > 0.9
    assert len(losses) == 60
    assert losses[-1] < losses[0] / 2


def test_training_ends_in_evaluation_mode_with_plain_memory() -> None:
    from training.demo.loop import train

    model = _network()
    train(model, map(_sphere, itertools.count()), steps=4, learning_rate=1e-2)

    assert not any(layer.training for layer in model.modules())
    assert all(parameter.is_contiguous() for parameter in model.parameters()), "safetensors demands it"


def test_training_twice_gives_the_same_weights() -> None:
    from training.demo.loop import train

    first, second = _network(), _network()
    for model in (first, second):
        train(model, map(_sphere, itertools.count()), steps=5, learning_rate=1e-2)

    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(left.equal(right) for left, right in pairs)


def test_loss_is_smaller_for_the_truth_than_for_a_guess() -> None:
    import torch

    from training.demo.loop import segmentation_loss

    _, labels = _sphere(1)
    truth = torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).float() * 20 - 10
    guess = torch.zeros_like(truth)

    assert segmentation_loss(truth, labels) < 0.01
    assert segmentation_loss(guess, labels) > 0.69  # ln 2, and the Dice of an even guess


def test_a_pass_through_network_starts_with_the_detail_of_its_image() -> None:
    import torch

    from training.demo.start_weights import pass_through

    image, _ = _sphere(1)
    plain, passing = _network(normalisation=None), _network(normalisation=None)
    pass_through(passing)

    def kept(model: Any) -> float:
        """Give the largest correlation of a hidden channel with the image, before the last layer."""
        with torch.no_grad():
            hidden = model.model[:-1](image)[0].flatten(1)
        flat = image.flatten()[None]
        return float(torch.corrcoef(torch.cat([flat, hidden]))[0, 1:].abs().nan_to_num().max())

    assert kept(plain) < 0.7
    assert kept(passing) > 0.9
