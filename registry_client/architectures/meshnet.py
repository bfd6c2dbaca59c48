"""MeshNet: a segmentation network of a few thousand parameters that runs in a web browser.

Source: Fedorov et al., "End-to-end learning of brain tissue segmentation from imperfect
labeling", IJCNN 2017, doi:10.1109/IJCNN.2017.7966333; the context-aggregation idea is that of
Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", ICLR 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from registry_client.architectures.arguments import (
    VOXEL_MODES,
    fraction,
    one_mode,
    one_of,
    positive,
    positives,
    split_image_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_DROPOUT = {2: nn.Dropout2d, 3: nn.Dropout3d}
_NORMALISATION: dict[tuple[str, int], Callable[[int], nn.Module]] = {
    ("batch", 2): nn.BatchNorm2d,
    ("batch", 3): nn.BatchNorm3d,
    ("instance", 2): lambda channels: nn.InstanceNorm2d(channels, affine=True),
    ("instance", 3): lambda channels: nn.InstanceNorm3d(channels, affine=True),
}
_ACTIVATION: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
}


class MeshNet(nn.Module):
    """A chain of dilated convolutions at full resolution, ended by a 1x1x1 convolution.

    `model` is one flat chain, so that the tensors are called `model.0.weight`, `model.2.weight`
    and so on, as in the weights that are published for this network.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        """Chain the layers."""
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, outputs, *spatial) for an image (N, channels, *spatial), float32."""
        return self.model(image)


def meshnet(
    input_image_size: Sequence[int],
    number_of_outputs: int = 2,
    mode: Literal["segmentation", "regression", "sigmoid"] = "segmentation",
    *,
    number_of_filters: int = 5,
    dilations: Sequence[int] = (1, 2, 4, 8, 16, 8, 4, 2, 1),
    convolution_kernel_size: int = 3,
    normalisation: Literal["batch", "instance"] | None = "batch",
    activation: Literal["relu", "elu", "leaky_relu", "gelu"] = "relu",
    dropout_rate: float = 0.0,
) -> MeshNet:
    """Build a MeshNet in 2D or 3D; the module returns logits at the size of its input.

    The network is fully convolutional: any spatial size runs, and memory grows with the
    number of voxels times `number_of_filters`. The receptive field is
    `1 + (convolution_kernel_size - 1) * sum(dilations)` voxels (93 with the defaults).

    input_image_size: spatial sizes in voxels, then channels, as in (256, 256, 256, 1).
    number_of_outputs: classes (background included) or channels of the answer. Default 2.
    mode: what the logits mean; `segmentation` = softmax over the outputs, `sigmoid` = one
        probability per output, `regression` = the value itself. Default `segmentation`.
    number_of_filters: channels of every hidden layer. Default 5.
    dilations: dilation of each hidden layer in voxels; their number is the depth.
        Default (1, 2, 4, 8, 16, 8, 4, 2, 1).
    convolution_kernel_size: voxels per side of each kernel, odd. Default 3.
    normalisation: `batch`, `instance` (affine) or None, after each convolution.
        Default `batch`. None suits weights whose normalisation was folded into the kernels.
    activation: `relu`, `elu`, `leaky_relu` (slope 0.01) or `gelu`. Default `relu`.
    dropout_rate: probability that training silences a channel, in [0, 1). Default 0.
    """
    spatial, channels = split_image_size(input_image_size)
    one_mode(mode, VOXEL_MODES, "meshnet")
    one_of("normalisation", normalisation, ("batch", "instance", None))
    one_of("activation", activation, tuple(_ACTIVATION))
    outputs = positive("number_of_outputs", number_of_outputs)
    filters = positive("number_of_filters", number_of_filters)
    kernel = positive("convolution_kernel_size", convolution_kernel_size, largest=31)
    if kernel % 2 == 0:
        message = f"convolution_kernel_size must be odd to keep the image size, got `{kernel}`"
        raise ValueError(message)
    rate = fraction("dropout_rate", dropout_rate)
    dim = len(spatial)
    layers: list[nn.Module] = []
    for dilation in positives("dilations", dilations):
        padding = dilation * (kernel - 1) // 2
        layers.append(_CONVOLUTION[dim](channels, filters, kernel, padding=padding, dilation=dilation))
        if normalisation is not None:
            layers.append(_NORMALISATION[normalisation, dim](filters))
        act = _ACTIVATION[activation]()
        # Dropout shares the place of the activation: switching it on renames no tensor.
        layers.append(nn.Sequential(act, _DROPOUT[dim](rate)) if rate else act)
        channels = filters
    layers.append(_CONVOLUTION[dim](channels, outputs, 1))
    return MeshNet(layers)
