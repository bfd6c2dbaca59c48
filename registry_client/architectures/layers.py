"""The words of the catalogue for activations and normalisations, in MONAI's own words."""

from __future__ import annotations

from typing import Literal

from registry_client.architectures.arguments import one_of

Activation = Literal["relu", "elu", "leaky_relu", "prelu", "gelu"]
Normalisation = Literal["batch", "instance"]

_ACTIVATION: dict[str, tuple[str, dict[str, object]]] = {
    "relu": ("relu", {"inplace": True}),
    "elu": ("elu", {"inplace": True}),
    "leaky_relu": ("leakyrelu", {"negative_slope": 0.01, "inplace": True}),
    "prelu": ("prelu", {}),
    "gelu": ("gelu", {}),
}
_NORMALISATION: dict[str, tuple[str, dict[str, object]]] = {
    "batch": ("batch", {}),
    # Without affine parameters there would be nothing to carry the scale between images.
    "instance": ("instance", {"affine": True}),
}


def monai_activation(activation: str) -> tuple[str, dict[str, object]]:
    """Return MONAI's name and arguments of an activation, or refuse an unknown one."""
    one_of("activation", activation, tuple(_ACTIVATION))
    return _ACTIVATION[activation]


def monai_normalisation(normalisation: str) -> tuple[str, dict[str, object]]:
    """Return MONAI's name and arguments of a normalisation, or refuse an unknown one."""
    one_of("normalisation", normalisation, tuple(_NORMALISATION))
    return _NORMALISATION[normalisation]
