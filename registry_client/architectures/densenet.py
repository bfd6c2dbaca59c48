"""Densely connected network, from MONAI's `DenseNet`: one answer per image.

Source: Huang et al., "Densely connected convolutional networks", CVPR 2017, arXiv:1608.06993.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from monai.networks.nets.densenet import DenseNet

from registry_client.architectures.arguments import (
    IMAGE_MODES,
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


def densenet(
    input_image_size: Sequence[int],
    number_of_outputs: int = 2,
    mode: Literal["classification", "regression", "sigmoid"] = "classification",
    *,
    layers_per_block: Sequence[int] = (6, 12, 24, 16),
    growth_rate: int = 32,
    number_of_filters: int = 64,
    bottleneck_factor: int = 4,
    normalisation: Normalisation = "batch",
    activation: Activation = "relu",
    dropout_rate: float = 0.0,
) -> DenseNet:
    """Build a DenseNet in 2D or 3D; the module returns logits (N, number_of_outputs).

    The last feature map is averaged, so images of any size run, from about 32 voxels per side.

    input_image_size: spatial sizes in voxels, then channels, as in (96, 96, 96, 1).
    number_of_outputs: classes or values per image. Default 2.
    mode: what the logits mean; `classification` = softmax over the outputs, `sigmoid` = one
        probability per output, `regression` = the value itself. Default `classification`.
    layers_per_block: layers of each dense block. Default (6, 12, 24, 16) = DenseNet-121;
        (6, 12, 32, 32) = 169, (6, 12, 48, 32) = 201, (6, 12, 64, 48) = 264.
    growth_rate: channels that each layer adds. Default 32.
    number_of_filters: channels of the first convolution. Default 64.
    bottleneck_factor: channels of the 1x1 bottleneck in multiples of the growth rate. Default 4.
    normalisation: `batch` or `instance` (affine). Default `batch`.
    activation: `relu`, `elu`, `leaky_relu` (slope 0.01), `prelu` or `gelu`. Default `relu`.
    dropout_rate: probability that training zeroes an activation, in [0, 1). Default 0.
    """
    spatial, channels = split_image_size(input_image_size)
    one_mode(mode, IMAGE_MODES, "densenet")
    return DenseNet(
        spatial_dims=len(spatial),
        in_channels=channels,
        out_channels=positive("number_of_outputs", number_of_outputs),
        init_features=positive("number_of_filters", number_of_filters),
        growth_rate=positive("growth_rate", growth_rate),
        block_config=positives("layers_per_block", layers_per_block, longest=8),
        bn_size=positive("bottleneck_factor", bottleneck_factor, largest=64),
        act=monai_activation(activation),
        norm=monai_normalisation(normalisation),
        dropout_prob=fraction("dropout_rate", dropout_rate),
    )
