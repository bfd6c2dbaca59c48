"""U-Net, from MONAI's `UNet`: an encoder and a decoder joined at every resolution.

Sources: Ronneberger et al., "U-Net: Convolutional networks for biomedical image segmentation",
MICCAI 2015, arXiv:1505.04597; with residual units, Kerfoot et al., "Left-ventricle quantification
using residual U-Net", STACOM 2018, doi:10.1007/978-3-030-12029-0_40.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from monai.networks.nets.unet import UNet

from registry_client.architectures.arguments import (
    VOXEL_MODES,
    fraction,
    one_mode,
    positive,
    positives,
    split_image_size,
)
from registry_client.architectures.layers import (
    Activation,
    Normalisation,
    monai_activation,
    monai_normalisation,
)


def unet(
    input_image_size: Sequence[int],
    number_of_outputs: int = 2,
    mode: Literal["segmentation", "regression", "sigmoid"] = "segmentation",
    *,
    number_of_layers: int = 4,
    number_of_filters_at_base_layer: int = 32,
    number_of_filters: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    convolution_kernel_size: int = 3,
    deconvolution_kernel_size: int = 3,
    residual_units: int = 2,
    normalisation: Normalisation = "instance",
    activation: Activation = "prelu",
    dropout_rate: float = 0.0,
) -> UNet:
    """Build a U-Net in 2D or 3D; the module returns logits at the size of its input.

    It takes any spatial size that is a multiple of the product of the strides, so the sizes in
    `input_image_size` must be, too.

    input_image_size: spatial sizes in voxels, then channels, as in (64, 64, 64, 1).
    number_of_outputs: classes (background included) or channels of the answer. Default 2.
    mode: what the logits mean; `segmentation` = softmax over the outputs, `sigmoid` = one
        probability per output, `regression` = the value itself. Default `segmentation`.
    number_of_layers: resolutions, the full one included. Default 4.
    number_of_filters_at_base_layer: channels at full resolution; doubled at each further
        resolution. Default 32.
    number_of_filters: channels of every resolution, instead of the two above. Default None.
    strides: downsampling factor between resolutions, one fewer than the resolutions.
        Default None = 2 everywhere.
    convolution_kernel_size: voxels per side of the kernels on the way down, odd. Default 3.
    deconvolution_kernel_size: the same on the way up. Default 3.
    residual_units: convolutions per residual unit; 0 = plain convolutions. Default 2.
    normalisation: `instance` (affine) or `batch`. Default `instance`.
    activation: `prelu`, `relu`, `leaky_relu` (slope 0.01), `elu` or `gelu`. Default `prelu`.
    dropout_rate: probability that training zeroes an activation, in [0, 1). Default 0.
    """
    spatial, channels = split_image_size(input_image_size)
    one_mode(mode, VOXEL_MODES, "unet")
    if number_of_filters is None:
        depth = positive("number_of_layers", number_of_layers, largest=10)
        base = positive("number_of_filters_at_base_layer", number_of_filters_at_base_layer)
        number_of_filters = [base * 2**level for level in range(depth)]
    filters = positives("number_of_filters", number_of_filters, longest=10)
    steps = positives("strides", [2] * (len(filters) - 1) if strides is None else strides, longest=10)
    if len(steps) != len(filters) - 1:
        raise ValueError(
            f"strides must be {len(filters) - 1} numbers for {len(filters)} resolutions, got `{steps}`"
        )
    _demand_divisible(spatial, steps)
    return UNet(
        spatial_dims=len(spatial),
        in_channels=channels,
        out_channels=positive("number_of_outputs", number_of_outputs),
        channels=filters,
        strides=steps,
        kernel_size=_odd("convolution_kernel_size", convolution_kernel_size),
        up_kernel_size=_odd("deconvolution_kernel_size", deconvolution_kernel_size),
        num_res_units=positive("residual_units", residual_units, largest=16) if residual_units else 0,
        act=monai_activation(activation),
        norm=monai_normalisation(normalisation),
        dropout=fraction("dropout_rate", dropout_rate),
    )


def _odd(argument: str, value: int) -> int:
    if positive(argument, value, largest=31) % 2 == 0:
        raise ValueError(f"{argument} must be odd to keep the image size, got `{value}`")
    return value


def _demand_divisible(spatial: tuple[int, ...], strides: Sequence[int]) -> None:
    factor = 1
    for stride in strides:
        factor *= stride
    if any(size % factor for size in spatial):
        near = tuple(max(1, round(size / factor)) * factor for size in spatial)
        raise ValueError(
            f"input_image_size: spatial sizes must be multiples of {factor} (the product of the "
            f"strides), got `{spatial}`; the nearest is `{near}`"
        )
