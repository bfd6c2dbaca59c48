"""Where training starts: a network that passes its image through."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

_NOISE = 0.1
"""Share of the random kernels that is kept, so that channels can grow apart."""


def pass_through(model: nn.Module) -> None:
    """Make a network without normalisation hand its image on from layer to layer, in place.

    A chain of dilated convolutions has no shortcut: from random kernels it learns coarse shapes first
    and fine detail, such as cortex, only after thousands of steps. So every hidden kernel starts near
    the identity, as proposed by Yu and Koltun, "Multi-scale context aggregation by dilated
    convolutions", ICLR 2016, section 3; and the first layer gives channel c of n the part of the
    intensity (0 to 1) above c/n, from which the last layer can tell tissues by brightness at once.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv3d)]
    with torch.no_grad():
        for place, layer in enumerate(layers[:-1]):
            centre = [size // 2 for size in layer.kernel_size]
            layer.weight.mul_(_NOISE)
            bias = cast("Tensor", layer.bias)
            bias.zero_()
            for channel in range(layer.out_channels):
                source = min(channel, layer.in_channels - 1)
                layer.weight[channel, source, *centre] += 1
                if place == 0:
                    bias[channel] = -channel / layer.out_channels
