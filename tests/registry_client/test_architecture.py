"""Architectures: they build, know their recipe, and refuse what is wrong with the right word."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from registry_client import architectures
from registry_client.architectures import fetch_architecture, list_architectures

pytestmark = pytest.mark.xdist_group("torch")

SMALL: dict[str, dict[str, Any]] = {
    "densenet": {"layers_per_block": (2, 2), "growth_rate": 4, "number_of_filters": 8},
    "meshnet": {"dilations": (1, 2, 1)},
    "resnet": {"depth": 10, "number_of_filters": 8},
    "unet": {"number_of_layers": 3, "number_of_filters_at_base_layer": 4},
    "vit": {"hidden_size": 24, "mlp_size": 16, "number_of_layers": 2, "number_of_attention_heads": 2},
}
VOXELWISE = {"meshnet", "unet"}


def test_every_listed_architecture_is_tried_here() -> None:
    assert list_architectures() == sorted(SMALL)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_answer_has_one_channel_per_output(name: str, dim: int) -> None:
    import torch

    size = (32,) * dim
    module = fetch_architecture(name, dim)((*size, 2), number_of_outputs=3, **SMALL[name]).eval()
    with torch.inference_mode():
        answer = module(torch.zeros(2, 2, *size))
    assert answer.shape == ((2, 3, *size) if name in VOXELWISE else (2, 3))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_recipe_builds_the_same_tensors(name: str) -> None:
    module = fetch_architecture(name, 2)((32, 32, 1), number_of_outputs=3, **SMALL[name])
    recipe = architectures.find_recipe(module)
    assert recipe is not None
    again = fetch_architecture(recipe.name, recipe.dim)(**recipe.arguments)  # pyright: ignore[reportArgumentType]  # plain data by name
    shapes = {key: tensor.shape for key, tensor in module.state_dict().items()}
    assert {key: tensor.shape for key, tensor in again.state_dict().items()} == shapes
    assert repr(again) == repr(module)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_recipe_writes_out_every_argument(name: str) -> None:
    build = fetch_architecture(name, 2)
    module = build((32, 32, 1), **SMALL[name])
    recipe = architectures.find_recipe(module)
    assert recipe is not None
    assert set(recipe.arguments) == set(inspect.signature(build).parameters)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_argument_is_documented(name: str) -> None:
    build = fetch_architecture(name)
    documentation = inspect.getdoc(build) or ""
    for argument, parameter in inspect.signature(build).parameters.items():
        assert f"\n{argument}:" in documentation
        described = documentation.split(f"\n{argument}:")[1].split("\n\n")[0]
        assert parameter.default is inspect.Parameter.empty or "Default" in described, argument


@pytest.mark.parametrize(
    ("name", "dim", "size", "arguments", "message"),
    [
        ("mesh_net", 3, (8, 8, 8, 1), {}, "did you mean `meshnet`"),
        ("unet", 4, (8, 8, 8, 1), {}, "no dim `4`; it exists in 2 and 3"),
        ("unet", 3, (8, 8, 1), {}, "dim=3.*2 spatial sizes"),
        ("unet", 3, (8, 8, 8, 1), {"numbr_of_outputs": 2}, "did you mean `number_of_outputs`"),
        ("unet", 3, (8, 8, 8, 1), {"mode": "segmentaton"}, "did you mean `segmentation`"),
        ("unet", 3, (8, 8, 8, 1), {"mode": "classification"}, "one answer per voxel: use `segmentation`"),
        ("resnet", 2, (8, 8, 1), {"mode": "segmentation"}, "one answer per image: use `classification`"),
        ("unet", 3, (30, 32, 32, 1), {}, r"multiples of 8.*nearest is `\(32, 32, 32\)`"),
        ("unet", 2, (32, 32, 1), {"strides": (2,)}, "strides must be 3 numbers"),
        ("unet", 2, (32, 32, 1), {"activation": "rleu"}, "did you mean `relu`"),
        ("unet", 2, (32, 32, 1), {"dropout_rate": 1}, "dropout_rate must be >= 0 and < 1"),
        ("unet", 2, (32, 32, 1), {"number_of_outputs": 0}, "number_of_outputs must be from 1"),
        ("unet", 2, (32, 32, 0), {}, r"input_image_size\[2\] must be from 1"),
        ("meshnet", 2, (8, 8, 1), {"convolution_kernel_size": 2}, "must be odd"),
        ("meshnet", 2, (8, 8, 1), {"normalisation": "bach"}, "did you mean `batch`"),
        ("resnet", 2, (8, 8, 1), {"depth": 19}, "depth must be one of 10, 18"),
        ("vit", 2, (33, 32, 1), {}, "multiples of patch_size `16`"),
        ("vit", 2, (32, 32, 1), {"hidden_size": 25}, "multiple of number_of_attention_heads"),
    ],
)
def test_a_wrong_word_is_refused_with_the_right_one(
    name: str, dim: int, size: tuple[int, ...], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fetch_architecture(name, dim)(size, **arguments)


def test_an_absurd_width_is_refused_without_allocating() -> None:
    with pytest.raises(ValueError, match="number_of_filters must be from 1 to 65536"):
        fetch_architecture("meshnet")((8, 8, 8, 1), number_of_filters=10**9)


def test_meshnet_sees_its_stated_receptive_field() -> None:
    import torch

    module = fetch_architecture("meshnet", 2)((129, 129, 1), normalisation=None, activation="gelu")
    image = torch.zeros(1, 1, 129, 129, requires_grad=True)
    module(image)[0, 0, 64, 64].backward()
    assert image.grad is not None
    seen = image.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert int(seen.max() - seen.min()) + 1 == 93


def test_dropout_renames_no_tensor_of_meshnet() -> None:
    plain, dropped = (
        fetch_architecture("meshnet", 2)((8, 8, 1), dropout_rate=rate).state_dict() for rate in (0.0, 0.5)
    )
    assert list(plain) == list(dropped)
