"""The parts of a manifest and the rules that each of them checks by itself."""

from __future__ import annotations

import math
import re
from typing import Literal

import msgspec

VERSION = 1
LARGEST_COUNT = 1 << 31

Task = Literal[
    "segmentation",
    "classification",
    "regression",
    "detection",
    "registration",
    "image_to_image",
    "generation",
    "embedding",
    "other",
]

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+/-]{0,63}")
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){1,15}", re.ASCII)
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_AXES = ("LR", "AP", "SI")


def _demand(condition: bool, message: str) -> None:  # noqa: FBT001  # an assertion reads this way
    if not condition:
        raise ValueError(message)


def _demand_word(field: str, word: str | None) -> None:
    _demand(
        word is None or _WORD.fullmatch(word) is not None,
        f"{field} must be 1 to 64 letters, digits, spaces or `_.+/-`, got `{word}`",
    )


def _demand_counts(field: str, values: tuple[int, ...] | None) -> None:
    for value in values or ():
        _demand(1 <= value <= LARGEST_COUNT, f"{field} must be >= 1, got `{value}`")


def _no_fields() -> dict[str, object]:
    return {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every part of the manifest: `extra` holds the fields that we do not know."""

    extra: dict[str, object] = msgspec.field(default_factory=_no_fields)


class Architecture(Record, frozen=True):
    """How to build the module: `name`, `dim` and `version`, or else `class`.

    `arguments` are plain data. A `class` is a dotted name; which ones may be imported is
    decided where it is loaded, never by the manifest.
    """

    name: str | None = None
    dim: int | None = None
    version: int | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    arguments: dict[str, object] = msgspec.field(default_factory=_no_fields)

    def __post_init__(self) -> None:
        """Check that exactly one of the two forms is there."""
        _demand(
            (self.name is None) != (self.class_ is None),
            "give either `name` (from the catalogue) or `class` (an importable class)",
        )
        _demand_word("name", self.name)
        if self.name is not None:
            _demand(self.dim is not None, "`dim` is missing beside `name`")
            _demand(self.version is not None, "`version` is missing beside `name`")
        _demand(self.dim in {None, 1, 2, 3}, f"dim must be 1, 2 or 3, got `{self.dim}`")
        _demand(self.version is None or self.version >= 1, f"version must be >= 1, got `{self.version}`")
        if self.class_ is not None:
            _demand(
                len(self.class_) <= 256 and _CLASS.fullmatch(self.class_) is not None,
                f"class must be a dotted name such as `monai.networks.nets.UNet`, got `{self.class_}`",
            )


class Size(Record, frozen=True):
    """The spatial sizes that the network takes, in voxels.

    `fixed`: exactly `value`; `multiple_of`: every size a multiple of `value` (one number, or one
    per axis); `any`: no rule.
    """

    rule: Literal["fixed", "multiple_of", "any"]
    value: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Check that the value fits the rule."""
        values = (self.value,) if isinstance(self.value, int) else self.value
        _demand((values is None) == (self.rule == "any"), f"rule `{self.rule}` with value `{self.value}`")
        _demand(values is None or len(values) in {1, 2, 3}, f"value needs 1 to 3 sizes, got `{self.value}`")
        _demand_counts("value", values)


class Intensity(Record, frozen=True):
    """How voxel values are brought to what the network was trained on.

    `min_max`: linear from [minimum, maximum] to `range`; `window`: clip to [lower, upper] in the
    unit of the image, then linear to `range`; `percentiles`: the same with `lower` and `upper` in
    percent of the voxels; `z_score`: subtract `mean` and divide by `deviation`, of the image where
    they are not given; `none`: unchanged. `scope` says over which voxels statistics are taken:
    `volume`, or `foreground` (values > 0). `range` is [0, 1] unless given.
    """

    rule: Literal["min_max", "z_score", "window", "percentiles", "none"]
    lower: float | None = None
    upper: float | None = None
    mean: float | None = None
    deviation: float | None = None
    range: tuple[float, float] | None = None
    scope: Literal["volume", "foreground"] | None = None

    def __post_init__(self) -> None:
        """Check that the bounds of the rule are there and ordered."""
        if self.rule in {"window", "percentiles"}:
            _demand(
                self.lower is not None and self.upper is not None and self.lower < self.upper,
                f"rule `{self.rule}` needs lower < upper, got `{self.lower}` and `{self.upper}`",
            )
        if self.rule == "percentiles":
            inside = (self.lower or 0) >= 0 and (self.upper or 0) <= 100  # percent
            _demand(inside, f"percentiles must be in 0..100, got `{self.lower}` and `{self.upper}`")
        _demand(
            self.deviation is None or self.deviation > 0, f"deviation must be > 0, got `{self.deviation}`"
        )
        if self.range is not None:
            _demand(self.range[0] < self.range[1], f"range must rise, got `{self.range}`")


class Crop(Record, frozen=True):
    """A crop before the network: the box of voxels > `threshold`, widened by `margin` voxels."""

    rule: Literal["foreground"]
    threshold: float = 0.0
    margin: int = 0

    def __post_init__(self) -> None:
        """Check the margin."""
        _demand(0 <= self.margin <= LARGEST_COUNT, f"margin must be >= 0 voxels, got `{self.margin}`")


class Input(Record, frozen=True):
    """One image that the network takes.

    modality: the DICOM code (`MR`, `CT`, `PT`, `US`, `CR`, ...) or another short word.
    orientation: the anatomical direction of each array axis, as `RAS`; None = as stored.
    spacing: mm per voxel along each axis; None = any.
    """

    name: str = "image"
    modality: str | None = None
    channels: int = 1
    orientation: str | None = None
    spacing: tuple[float, ...] | None = None
    size: Size | None = None
    intensity: Intensity | None = None
    crop: Crop | None = None

    def __post_init__(self) -> None:
        """Check names, axes and spacing."""
        _demand_word("name", self.name)
        _demand_word("modality", self.modality)
        _demand_counts("channels", (self.channels,))
        if self.orientation is not None:
            pairs = ["".join(axis) for axis in _AXES]
            found = [next((pair for pair in pairs if letter in pair), "") for letter in self.orientation]
            _demand(
                len(found) in {2, 3} and "" not in found and len(set(found)) == len(found),
                "orientation must name each axis once, as in `RAS` or `LIA` "
                f"(L/R, A/P, S/I), got `{self.orientation}`",
            )
        if self.spacing is not None:
            _demand(
                len(self.spacing) in {2, 3} and all(0 < step < math.inf for step in self.spacing),
                f"spacing must be two or three numbers > 0 mm, got `{self.spacing}`",
            )


class Class(Record, frozen=True):
    """One class of an answer: the label value in the image, its name, its colour `#rrggbb`."""

    value: int
    name: str
    colour: str | None = None

    def __post_init__(self) -> None:
        """Check the colour."""
        _demand(bool(self.name.strip()), "name must not be empty")
        _demand(
            self.colour is None or _COLOUR.fullmatch(self.colour) is not None,
            f"colour must be `#rrggbb`, got `{self.colour}`",
        )


class Output(Record, frozen=True):
    """One answer: its classes in the order of the channels, or the unit of its values."""

    name: str = "labels"
    classes: tuple[Class, ...] = ()
    unit: str | None = None

    def __post_init__(self) -> None:
        """Check that class values are told apart."""
        _demand_word("name", self.name)
        values = [label.value for label in self.classes]
        _demand(len(set(values)) == len(values), f"classes: values must differ, got `{values}`")


class Inference(Record, frozen=True):
    """How the network runs over an image: at once, or by a window of `patch` voxels.

    overlap: share of the window that neighbours have in common, in [0, 1).
    """

    mode: Literal["whole", "sliding_window"] = "whole"
    patch: tuple[int, ...] | None = None
    overlap: float | None = None

    def __post_init__(self) -> None:
        """Check that a sliding window has a size."""
        _demand(
            self.mode != "sliding_window" or self.patch is not None, "`patch` is missing for a sliding window"
        )
        _demand_counts("patch", self.patch)
        _demand(
            self.overlap is None or 0 <= self.overlap < 1, f"overlap must be in [0, 1), got `{self.overlap}`"
        )


class Step(Record, frozen=True):
    """One step of pre- or post-processing: `op` names it, further fields are its parameters.

    Known: `argmax`, `softmax`, `sigmoid`, `threshold` (value), `keep_largest_component` (of,
    connectivity), `remove_small_components` (size in voxels), `fill_holes`.
    """

    op: str

    def __post_init__(self) -> None:
        """Check the name."""
        _demand_word("op", self.op)


class Training(Record, frozen=True):
    """What the model was trained on, and what was measured on data that it had not seen."""

    data: tuple[str, ...] = ()
    description: str | None = None
    base: str | None = None
    metrics: dict[str, float] = msgspec.field(default_factory=dict[str, float])


class Needs(Record, frozen=True):
    """Measured needs of one run: peak memory in bytes, seconds, and on which device and size."""

    memory: int | None = None
    seconds: float | None = None
    device: str | None = None
    size: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Check the signs."""
        _demand(self.memory is None or self.memory >= 0, f"memory must be >= 0 bytes, got `{self.memory}`")
        _demand(self.seconds is None or self.seconds >= 0, f"seconds must be >= 0, got `{self.seconds}`")
        _demand_counts("size", self.size)


class Manifest(Record, frozen=True, kw_only=True):
    """The whole of `config.json`, version 1."""

    manifest_version: int = VERSION
    architecture: Architecture
    version: str | None = None
    task: Task | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    inference: Inference | None = None
    preprocessing: tuple[Step, ...] = ()
    postprocessing: tuple[Step, ...] = ()
    training: Training | None = None
    needs: Needs | None = None
    environment: dict[str, str] = msgspec.field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Check that names are told apart."""
        for field, records in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [record.name for record in records]
            _demand(len(set(names)) == len(names), f"{field}: names must differ, got `{names}`")
