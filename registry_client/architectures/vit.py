"""Vision transformer, from MONAI's `ViT`: one answer per image.

Source: Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at
scale", ICLR 2021, arXiv:2010.11929.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from monai.networks.nets.vit import ViT
from torch import Tensor

from registry_client.architectures.arguments import (
    IMAGE_MODES,
    fraction,
    one_mode,
    one_of,
    positive,
    split_image_size,
)


class VisionTransformer(ViT):
    """MONAI's network with one answer: its own also returns every hidden state."""

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]  # that is the point
        """Return logits (N, outputs) for an image (N, channels, *spatial), float32."""
        logits, _ = cast("tuple[Tensor, list[Tensor]]", super().forward(x))
        return logits


def vit(
    input_image_size: Sequence[int],
    number_of_outputs: int = 2,
    mode: Literal["classification", "regression", "sigmoid"] = "classification",
    *,
    patch_size: int = 16,
    hidden_size: int = 768,
    mlp_size: int = 3072,
    number_of_layers: int = 12,
    number_of_attention_heads: int = 12,
    position_embedding: Literal["learnable", "sincos"] = "learnable",
    query_key_value_bias: bool = False,
    dropout_rate: float = 0.0,
) -> VisionTransformer:
    """Build a vision transformer in 2D or 3D; the module returns logits (N, number_of_outputs).

    The position embedding is bound to the image size: only images of `input_image_size` run.

    input_image_size: spatial sizes in voxels, multiples of `patch_size`, then channels, as in
        (96, 96, 96, 1).
    number_of_outputs: classes or values per image. Default 2.
    mode: what the logits mean; `classification` = softmax over the outputs, `sigmoid` = one
        probability per output, `regression` = the value itself. Default `classification`.
    patch_size: voxels per side of a patch, which becomes one token. Default 16.
    hidden_size: numbers per token, a multiple of the heads. Default 768.
    mlp_size: hidden units of the perceptron in each layer. Default 3072.
    number_of_layers: transformer layers. Default 12.
    number_of_attention_heads: heads per layer. Default 12.
    position_embedding: `learnable`, or `sincos` (fixed waves; the hidden size must be a
        multiple of 4 in 2D and of 6 in 3D). Default `learnable`.
    query_key_value_bias: whether the attention projections have a bias. Default False.
    dropout_rate: probability that training zeroes an activation, in [0, 1). Default 0.
    """
    spatial, channels = split_image_size(input_image_size)
    one_mode(mode, IMAGE_MODES, "vit")
    one_of("position_embedding", position_embedding, ("learnable", "sincos"))
    patch = positive("patch_size", patch_size)
    hidden = positive("hidden_size", hidden_size)
    heads = positive("number_of_attention_heads", number_of_attention_heads)
    if any(size % patch for size in spatial):
        raise ValueError(f"spatial sizes must be multiples of patch_size `{patch}`, got `{spatial}`")
    if hidden % heads:
        raise ValueError(f"hidden_size `{hidden}` must be a multiple of number_of_attention_heads `{heads}`")
    if position_embedding == "sincos" and hidden % (2 * len(spatial)):
        raise ValueError(f"hidden_size `{hidden}` must be a multiple of {2 * len(spatial)} for `sincos`")
    return VisionTransformer(
        in_channels=channels,
        img_size=spatial,
        patch_size=patch,
        hidden_size=hidden,
        mlp_dim=positive("mlp_size", mlp_size),
        num_layers=positive("number_of_layers", number_of_layers, largest=256),
        num_heads=heads,
        pos_embed_type=position_embedding,
        classification=True,
        num_classes=positive("number_of_outputs", number_of_outputs),
        dropout_rate=fraction("dropout_rate", dropout_rate),
        spatial_dims=len(spatial),
        post_activation="None",
        qkv_bias=query_key_value_bias,
    )
