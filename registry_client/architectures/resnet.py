"""Residual network, from MONAI's `ResNet`: one answer per image.

Sources: He et al., "Deep residual learning for image recognition", CVPR 2016, arXiv:1512.03385;
in 3D, Hara et al., "Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?",
CVPR 2018, arXiv:1711.09577.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from monai.networks.nets.resnet import ResNet

from registry_client.architectures.arguments import (
    IMAGE_MODES,
    one_mode,
    positive,
    split_image_size,
)
from registry_client.architectures.layers import (
    Activation,
    Normalisation,
    monai_activation,
    monai_normalisation,
)

_BLOCKS: dict[int, tuple[Literal["basic", "bottleneck"], list[int]]] = {
    10: ("basic", [1, 1, 1, 1]),
    18: ("basic", [2, 2, 2, 2]),
    34: ("basic", [3, 4, 6, 3]),
    50: ("bottleneck", [3, 4, 6, 3]),
    101: ("bottleneck", [3, 4, 23, 3]),
    152: ("bottleneck", [3, 8, 36, 3]),
    200: ("bottleneck", [3, 24, 36, 3]),
}


def resnet(
    input_image_size: Sequence[int],
    number_of_outputs: int = 2,
    mode: Literal["classification", "regression", "sigmoid"] = "classification",
    *,
    depth: Literal[10, 18, 34, 50, 101, 152, 200] = 18,
    number_of_filters: int = 64,
    first_kernel_size: int = 7,
    first_stride: int = 2,
    first_pooling: bool = True,
    normalisation: Normalisation = "batch",
    activation: Activation = "relu",
) -> ResNet:
    """Build a ResNet in 2D or 3D; the module returns logits (N, number_of_outputs).

    The last feature map is averaged, so images of any size run.

    input_image_size: spatial sizes in voxels, then channels, as in (96, 96, 96, 1).
    number_of_outputs: classes or values per image. Default 2.
    mode: what the logits mean; `classification` = softmax over the outputs, `sigmoid` = one
        probability per output, `regression` = the value itself. Default `classification`.
    depth: layers, one of 10, 18, 34 (basic blocks), 50, 101, 152, 200 (bottlenecks). Default 18.
    number_of_filters: channels of the first stage; doubled at each of the four. Default 64.
    first_kernel_size: voxels per side of the first convolution, odd. Default 7.
    first_stride: step of the first convolution in voxels; 1 suits small images. Default 2.
    first_pooling: whether a max pooling of stride 2 follows the first convolution. Default True.
    normalisation: `batch` or `instance` (affine). Default `batch`.
    activation: `relu`, `elu`, `leaky_relu` (slope 0.01), `prelu` or `gelu`. Default `relu`.
    """
    spatial, channels = split_image_size(input_image_size)
    one_mode(mode, IMAGE_MODES, "resnet")
    if depth not in _BLOCKS:
        raise ValueError(f"depth must be one of {', '.join(map(str, _BLOCKS))}, got `{depth!r}`")
    block, layers = _BLOCKS[depth]
    width = positive("number_of_filters", number_of_filters)
    kernel = positive("first_kernel_size", first_kernel_size, largest=31)
    if kernel % 2 == 0:
        raise ValueError(f"first_kernel_size must be odd, got `{kernel}`")
    return ResNet(
        block=block,
        layers=list(layers),
        block_inplanes=[width * 2**stage for stage in range(4)],
        spatial_dims=len(spatial),
        n_input_channels=channels,
        conv1_t_size=kernel,
        conv1_t_stride=positive("first_stride", first_stride, largest=16),
        no_max_pool=not first_pooling,
        num_classes=positive("number_of_outputs", number_of_outputs),
        # The normalisation that follows has its own bias.
        bias_downsample=False,
        act=monai_activation(activation),
        norm=monai_normalisation(normalisation),
    )
