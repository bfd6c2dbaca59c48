"""A network that others trained, registered and fetched back, gives their answer on a real scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hub_process import HubServer

import registry_client as vox

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.slow]

# Voxels whose two best classes differ by less than 1e-3: rounding may decide them either way.
UNDECIDED = 170
INPUT: dict[str, Any] = {
    "modality": "MR",
    "orientation": "LIA",
    "spacing": [1, 1, 1],
    "intensity": {"rule": "min_max"},
    "crop": {"rule": "foreground", "threshold": 0, "margin": 18},
}
CLASSES = [
    {"value": 0, "name": "background", "colour": "#000000"},
    {"value": 1, "name": "white matter", "colour": "#ffffff"},
    {"value": 2, "name": "grey matter", "colour": "#cd3e4e"},
]


def read_volume(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    import nibabel

    image = cast("Any", nibabel.load(path))  # pyright: ignore[reportPrivateImportUsage]  # nibabel's public name
    return np.asarray(image.dataobj)


def test_published_weights_reproduce_the_published_labels(shared_data: Path, hub_server: HubServer) -> None:
    import torch
    from safetensors.torch import load_file
    from scipy import ndimage

    published = vox.fetch_architecture("meshnet", 3)(
        (256, 256, 256, 1), number_of_outputs=3, normalisation=None
    )
    published.load_state_dict(load_file(shared_data / "meshnet_gwm" / "model.safetensors"))
    user, token = hub_server.new_user()
    done = vox.register_pretrained(
        published,
        f"{user}/gwm",
        version="1.0.0",
        inputs=INPUT,
        outputs={"classes": CLASSES},
        postprocessing=[{"op": "argmax"}, {"op": "keep_largest_component", "connectivity": 26}],
        license="mit",
        endpoint=hub_server.endpoint,
        token=token,
    )
    loaded = vox.fetch_pretrained(f"{user}/gwm@1.0.0", endpoint=hub_server.endpoint, token=token)
    assert loaded.revision == done.revision

    scan = read_volume(shared_data / "t1" / "t1_crop.nii.gz").astype(np.float32)
    scan = (scan - scan.min()) / (scan.max() - scan.min())
    crop = loaded.manifest.inputs[0].crop
    assert crop is not None
    inside = np.argwhere(scan > crop.threshold)
    low = np.maximum(inside.min(0) - crop.margin, 0)
    high = np.minimum(inside.max(0) + crop.margin + 1, scan.shape)
    box = tuple(slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    with torch.inference_mode():
        best = loaded(torch.from_numpy(scan[box])[None, None]).argmax(1)[0].numpy().astype(np.uint8)
    labels = np.zeros(scan.shape, np.uint8)
    labels[box] = best
    parts, count = cast("tuple[Any, int]", ndimage.label(labels > 0, np.ones((3, 3, 3))))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    labels[parts != sizes.argmax()] = 0

    expected = read_volume(shared_data / "meshnet_gwm" / "expected_labels.nii.gz")
    assert np.count_nonzero(labels != expected) <= UNDECIDED
    assert np.count_nonzero(labels == 2) == pytest.approx(735_030, abs=UNDECIDED)  # grey matter, mL x 1000
