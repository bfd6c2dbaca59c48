"""Tags: what the card and the manifest of a repository say, in words to filter by.

README.md    tags, library_name, pipeline_tag, language, license, datasets, base_model, modality, …
config.json  task, inputs[].modality, architecture, model_type
"""

from collections.abc import Iterator
from typing import Any, cast

import msgspec

LARGEST_MANIFEST = 1 << 18
LONGEST_TAG = 128
MOST_TAGS = 300
# Keys of a card whose values become `key:value`, as Hugging Face writes them.
_PREFIXED = {
    "license": "license",
    "language": "language",
    "datasets": "dataset",
    "base_model": "base_model",
    "modality": "modality",
    "modalities": "modality",
    "task_categories": "task_categories",
    "task_ids": "task_ids",
    "size_categories": "size_categories",
    "multilinguality": "multilinguality",
    "annotations_creators": "annotations_creators",
    "source_datasets": "source_datasets",
}
_PLAIN = ("tags", "pipeline_tag", "library_name")

Plain = dict[str, object]


def manifest(content: bytes) -> Plain | None:
    """Read a config.json as JSON; None when it is none, or too large."""
    if len(content) > LARGEST_MANIFEST:
        return None
    try:
        value = msgspec.json.decode(content)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    return cast("Plain", value) if isinstance(value, dict) else None


def collect(card: Plain, config: Plain) -> list[str]:
    """Every tag, once, sorted."""
    found = {tag for tag in (*_of_card(card), *_of_manifest(config)) if tag}
    return sorted(found)[:MOST_TAGS]


def texts(value: object) -> Iterator[str]:
    """Yield the texts of a value that may be one, or a list with some."""
    for item in _items(value):
        if isinstance(item, str) and item.isprintable() and (text := _fitting(item.strip())):
            yield text


def word(value: object) -> str | None:
    """A short text as it is, anything else as None."""
    if isinstance(value, str) and 0 < len(value) <= 96 and value.isprintable():
        return value
    return None


def _of_card(card: Plain) -> Iterator[str]:
    for key in _PLAIN:
        yield from texts(card.get(key))
    for key, prefix in _PREFIXED.items():
        for text in texts(card.get(key)):
            yield _fitting(f"{prefix}:{text}")
            if key == "language":
                # Hugging Face tags models with the bare code, data sets with the prefix: people ask for both.
                yield text


def _of_manifest(config: Plain) -> Iterator[str]:
    yield from texts(config.get("model_type"))
    for text in texts(config.get("task")):
        yield _fitting(f"task:{text}")
    for text in texts(config.get("architectures")):
        yield _fitting(f"architecture:{text}")
    architecture = config.get("architecture")
    if isinstance(architecture, dict):
        recipe = cast("Plain", architecture)
        architecture = recipe.get("name") or recipe.get("class")
        if recipe.get("dim") in (1, 2, 3):
            yield f"dim:{recipe['dim']}"
    for text in texts(architecture):
        yield _fitting(f"architecture:{text}")
    for entry in _items(config.get("inputs")):
        if isinstance(entry, dict):
            for text in texts(cast("Plain", entry).get("modality")):
                yield _fitting(f"modality:{text}")


def _items(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _fitting(tag: str) -> str:
    """The tag, or nothing when it is too long for an index."""
    return tag if len(tag) <= LONGEST_TAG else ""
