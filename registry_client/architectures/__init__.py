"""Architectures: functions that build a torch module which knows its own recipe.

    unet = fetch_architecture("unet", dim=3)
    model = unet((64, 64, 64, 1), number_of_outputs=3)
    model.recipe        # name, dimension, version and every argument, as plain data

Importing this package does not import torch; fetching an architecture does.
"""

from registry_client.architectures.catalogue import (
    Architecture,
    fetch_architecture,
    list_architectures,
)
from registry_client.architectures.recipe import Recipe, find_recipe

__all__ = ["Architecture", "Recipe", "fetch_architecture", "find_recipe", "list_architectures"]
