"""The manifest: what it keeps, what it refuses, and that its messages name the field."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hub_process import ROOT
from hypothesis import given
from hypothesis import strategies as st

from registry_client import manifest as manifests
from registry_client.manifest import ManifestError, NotAManifestError

WHOLE: dict[str, Any] = {
    "manifest_version": 1,
    "architecture": {"name": "meshnet", "dim": 3, "version": 1, "arguments": {"number_of_outputs": 2}},
    "version": "1.0.0",
    "task": "segmentation",
    "inputs": [
        {
            "name": "image",
            "modality": "MR",
            "channels": 1,
            "orientation": "LIA",
            "spacing": [1.0, 1.0, 1.5],
            "size": {"rule": "multiple_of", "value": [16, 16, 8]},
            "intensity": {"rule": "percentiles", "lower": 1.0, "upper": 99.0},
            "crop": {"rule": "foreground", "threshold": 0.5, "margin": 18},
        }
    ],
    "outputs": [
        {
            "name": "labels",
            "classes": [
                {"value": 0, "name": "background", "colour": "#000000"},
                {"value": 1, "name": "brain", "colour": "#FFaa00"},
            ],
        }
    ],
    "inference": {"mode": "sliding_window", "patch": [64, 64, 64], "overlap": 0.25},
    "postprocessing": [{"op": "argmax", "axis": 1}, {"op": "keep_largest_component", "of": "label>0"}],
    "training": {"data": ["MNI152"], "metrics": {"dice": 0.91}},
    "needs": {"memory": 1073741824, "seconds": 2.5, "device": "cpu"},
    "environment": {"torch": "2.13.0"},
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the whole manifest with one field replaced; the path is dotted, lists by number."""
    document = json.loads(json.dumps(WHOLE))
    *parents, last = path.split(".")
    place: Any = document
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return document


def test_a_whole_manifest_survives_a_round_trip() -> None:
    manifest = manifests.decode(json.dumps(WHOLE))
    assert json.loads(manifests.encode(manifest)) == WHOLE
    assert manifests.decode(manifests.encode(manifest)) == manifest


RECORDS = [
    "",
    "architecture",
    "inputs.0",
    "inputs.0.size",
    "inputs.0.intensity",
    "inputs.0.crop",
    "outputs.0",
    "outputs.0.classes.1",
    "inference",
    "postprocessing.1",
    "training",
    "needs",
]


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("field", ["of_tomorrow", "extra"])
def test_an_unknown_field_survives_in_its_place(record: str, field: str) -> None:
    document = changed(f"{record}.{field}".lstrip("."), {"kept": [1, None, {"extra": "x"}]})
    manifest = manifests.decode(json.dumps(document))
    assert json.loads(manifests.encode(manifest)) == document


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(fields=st.dictionaries(st.text(min_size=1, max_size=12), PLAIN, max_size=4))
def test_any_unknown_fields_survive(fields: dict[str, object]) -> None:
    unknown = {name: value for name, value in fields.items() if name not in WHOLE}
    document = {**unknown, **WHOLE}
    assert manifests.to_plain(manifests.from_plain(document)) == document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("inputs.0.spacing", [1, 0, 1], r"`inputs\[0\]`: spacing must be .* > 0 mm, got `\(1.0, 0.0, 1.0\)`"),
        ("inputs.0.spacing", [1, -2, 1], "spacing must be"),
        ("inputs.0.spacing", [1], "spacing must be two or three"),
        ("inputs.0.spacing", [1, float("nan"), 1], r"`inputs\[0\].spacing\[1\]` must be finite, got `nan`"),
        ("inputs.0.intensity.lower", float("-inf"), r"`inputs\[0\].intensity.lower` must be finite"),
        ("training.metrics.dice", float("nan"), "`training.metrics.dice` must be finite"),
        ("inputs.0.channels", "1", r"`inputs\[0\].channels`: Expected `int`, got `str`"),
        ("inputs.0.channels", 0, r"`inputs\[0\]`: channels must be >= 1, got `0`"),
        ("inputs.0.orientation", "RAL", "orientation must name each axis once"),
        ("inputs.0.orientation", "RAX", "orientation must name each axis once"),
        (
            "inputs.0.size.rule",
            "about",
            r"`inputs\[0\].size.rule` must be one of `fixed`, `multiple_of`, `any`",
        ),
        ("inputs.0.size.value", None, "rule `multiple_of` with value `None`"),
        ("inputs.0.size.value", [0, 1, 1], "value must be >= 1"),
        ("inputs.0.intensity.rule", "zscore", "must be one of `min_max`, `z_score`"),
        ("inputs.0.intensity.upper", 101, "percentiles must be in 0..100"),
        ("inputs.0.intensity.upper", 0.5, "needs lower < upper"),
        ("inputs", {"name": "image"}, "`inputs`: Expected `array`"),
        ("outputs.0.classes.1.value", 0, "classes: values must differ"),
        ("outputs.0.classes.1.colour", "red", r"`outputs\[0\].classes\[1\]`: colour must be `#rrggbb`"),
        ("inference.patch", None, "`patch` is missing for a sliding window"),
        ("inference.overlap", 1, r"overlap must be in \[0, 1\), got `1.0`"),
        ("task", "segment", "`task` must be one of `segmentation`"),
        ("architecture", {"arguments": {}}, "`architecture`: give either `name`"),
        ("architecture", {"name": "unet"}, "`dim` is missing beside `name`"),
        ("architecture", {"class": "os system"}, "class must be a dotted name"),
        ("architecture.dim", 4, "dim must be 1, 2 or 3"),
        ("architecture.class", "torch.nn.Linear", "give either `name`"),
        ("needs.memory", -1, "memory must be >= 0 bytes"),
        ("manifest_version", 2, "manifest_version `2` is unknown.*update voxhub"),
        ("manifest_version", True, "manifest_version `True` is unknown"),
    ],
)
def test_a_broken_rule_is_refused_by_the_name_of_its_field(path: str, value: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        manifests.from_plain(changed(path, value))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "no valid JSON"),
        (b"\xff\xfe", "no valid JSON"),
        (b"[" * 50_000 + b"]" * 50_000, "nested deeper"),
        (b'{"manifest_version": 1, "x": ' + b"[" * 30 + b"]" * 30 + b"}", "nested deeper than 24"),
        (b" " * (1 << 20) + b"{}", "at most 1048576 are read"),
        (b'{"manifest_version": 1, "x": NaN}', "no valid JSON"),
    ],
)
def test_a_document_that_is_no_bounded_json_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        manifests.decode(content)


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"model_type": "bert"}'])
def test_another_kind_of_config_is_told_apart(content: bytes) -> None:
    with pytest.raises(NotAManifestError):
        manifests.decode(content)


def test_not_a_number_is_never_written_as_null() -> None:
    training = manifests.Training(metrics={"dice": float("nan")})
    manifest = manifests.Manifest(
        architecture=manifests.Architecture(class_="torch.nn.ReLU"), training=training
    )
    with pytest.raises(ManifestError, match=r"`training.metrics.dice` must be finite"):
        manifests.encode(manifest)


def test_the_schema_describes_every_field_that_is_written() -> None:
    schema = manifests.json_schema()
    properties = schema["$defs"]["Manifest"]["properties"]
    assert set(WHOLE) <= set(properties) | {"preprocessing"}
    assert set(schema["$defs"]["Manifest"]["required"]) == {"manifest_version", "architecture"}
    assert "extra" not in json.dumps([list(part["properties"]) for part in schema["$defs"].values()])


def test_the_manifest_imports_msgspec_and_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "safetensors", "huggingface_hub", "click", "rich", "hub"}
    code = "import sys; import registry_client.manifest; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(loaded.stdout.split())


def test_the_published_schema_is_the_present_one() -> None:
    command = [sys.executable, "-m", "registry_client.manifest"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    published = (ROOT / "docs" / "manifest.schema.json").read_bytes()
    assert published == printed, "run: python -m registry_client.manifest > docs/manifest.schema.json"
