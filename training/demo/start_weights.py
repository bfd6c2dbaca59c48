"""Where training starts: a network that passes its image through."""

from __future__ import annotations

import torch
from torch import nn


def pass_through(model: nn.Module) -> None:
    """Make every hidden convolution start near the identity, in place.

    A chain of dilated convolutions has no shortcut: from random kernels it learns coarse shapes first
    and fine detail, such as cortex, only after thousands of steps. The idea is that of Yu and Koltun,
    "Multi-scale context aggregation by dilated convolutions", ICLR 2016, section 3. Normalisation is
    shifted upwards, so that the activation behind it cuts off little of what passes.
    """
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv3d) and layer.in_channels == layer.out_channels:
                layer.weight.mul_(0.5)
                centre = [size // 2 for size in layer.kernel_size]
                for channel in range(layer.out_channels):
                    layer.weight[channel, channel, *centre] += 1
            if isinstance(layer, nn.InstanceNorm3d):
                layer.bias.add_(1)
