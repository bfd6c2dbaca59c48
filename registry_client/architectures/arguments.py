"""Checks that the architectures share. Every message names the argument, its value and the rule."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Mode = Literal["classification", "regression", "segmentation", "sigmoid"]
IMAGE_MODES: tuple[Mode, ...] = ("classification", "regression", "sigmoid")
VOXEL_MODES: tuple[Mode, ...] = ("segmentation", "regression", "sigmoid")

# A network of this library is never wider or deeper than this. A manifest is data from a
# stranger: a count without a ceiling is a request to allocate any amount of memory.
LARGEST_COUNT = 65_536


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return a hint: the nearest right word where there is one, then all of them."""
    names = sorted(choices)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    listed = ", ".join(f"`{name}`" for name in names)
    return f"did you mean `{close[0]}`? Known: {listed}" if close else f"known: {listed}"


def one_of(argument: str, value: str | None, choices: Sequence[str | None]) -> None:
    """Refuse a value that is not among the choices."""
    if value not in choices:
        words = [choice for choice in choices if choice is not None]
        message = f"{argument} `{value}` is unknown; {nearest(str(value), words)}"
        if None in choices:
            message += ", or None"
        raise ValueError(message)


def one_mode(mode: str, choices: Sequence[Mode], architecture: str) -> None:
    """Refuse a mode that the architecture has no head for, and say where it exists."""
    if mode in choices:
        return
    if mode in {*IMAGE_MODES, *VOXEL_MODES}:
        reach = "one answer per voxel" if "segmentation" in choices else "one answer per image"
        listed = ", ".join(f"`{choice}`" for choice in choices)
        message = f"mode `{mode}` does not fit `{architecture}`, which gives {reach}: use {listed}"
        raise ValueError(message)
    one_of("mode", mode, choices)


def positive(argument: str, value: int, *, largest: int = LARGEST_COUNT) -> int:
    """Return a count, or refuse one that is not an integer from 1 to `largest`."""
    if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # manifests bring anything
        message = f"{argument} must be an integer, got `{value!r}`"
        raise TypeError(message)
    if not 1 <= value <= largest:
        message = f"{argument} must be from 1 to {largest}, got `{value}`"
        raise ValueError(message)
    return value


def positives(argument: str, values: Sequence[int], *, longest: int = 128) -> list[int]:
    """Return a list of counts, or refuse an empty, too long or non-integer one."""
    if isinstance(values, str) or not 1 <= len(values) <= longest:
        message = f"{argument} must be a list of 1 to {longest} integers, got `{values!r}`"
        raise ValueError(message)
    return [positive(f"{argument}[{index}]", value) for index, value in enumerate(values)]


def fraction(argument: str, value: float) -> float:
    """Return a rate, or refuse one outside [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]  # manifests bring anything
        message = f"{argument} must be a number, got `{value!r}`"
        raise TypeError(message)
    if not 0 <= value < 1:
        message = f"{argument} must be >= 0 and < 1, got `{value}`"
        raise ValueError(message)
    return float(value)


def split_image_size(input_image_size: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Return (spatial sizes in voxels, channels) of a `(height, width[, depth], channels)`.

    Raises ValueError unless there are two or three spatial sizes and one channel count.
    """
    sizes = positives("input_image_size", input_image_size)
    if len(sizes) not in {3, 4}:
        message = (
            "input_image_size must be two or three spatial sizes and then the channels, "
            f"as in (64, 64, 64, 1), got `{tuple(sizes)}`"
        )
        raise ValueError(message)
    return tuple(sizes[:-1]), sizes[-1]
