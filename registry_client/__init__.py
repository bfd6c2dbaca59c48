"""Voxhub for Python: register a pretrained medical-imaging model in one call, fetch it in another.

    import registry_client as vox

    vox.login("http://localhost:8000", token)
    model = vox.fetch_architecture("unet", dim=3)((64, 64, 64, 1), number_of_outputs=3)
    vox.register_pretrained(model, "lab/t1-tissue", version="1.0.0")
    model = vox.fetch_pretrained("lab/t1-tissue@1.0.0")

Everything is imported at its first use: `import registry_client` loads neither torch nor the
client of the hub.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_client import architectures, manifest, models
    from registry_client.accounts import Identity, login, logout, whoami
    from registry_client.architectures import fetch_architecture, list_architectures
    from registry_client.models import (
        Registered,
        Version,
        VersionExistsError,
        delete,
        fetch_pretrained,
        list_models,
        model_card,
        model_manifest,
        pull,
        push,
        register_model,
        register_pretrained,
        versions,
    )

_HOME = {
    "architectures": ("fetch_architecture", "list_architectures"),
    "accounts": ("Identity", "login", "logout", "whoami"),
    "models": (
        "Registered",
        "Version",
        "VersionExistsError",
        "delete",
        "fetch_pretrained",
        "list_models",
        "model_card",
        "model_manifest",
        "pull",
        "push",
        "register_model",
        "register_pretrained",
        "versions",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Identity",
    "Registered",
    "Version",
    "VersionExistsError",
    "architectures",
    "delete",
    "fetch_architecture",
    "fetch_pretrained",
    "list_architectures",
    "list_models",
    "login",
    "logout",
    "manifest",
    "model_card",
    "model_manifest",
    "models",
    "pull",
    "push",
    "register_model",
    "register_pretrained",
    "versions",
    "whoami",
]


def __getattr__(name: str) -> object:
    """Import what is asked for, once."""
    if name in _MODULE_OF:
        found = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    elif name in __all__:
        found = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
