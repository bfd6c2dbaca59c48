"""The model card: YAML metadata that hubs index, then prose for whoever decides to use the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

    from registry_client.manifest import Input, Manifest, Output

_PIPELINE_TAG = {
    "segmentation": "image-segmentation",
    "classification": "image-classification",
    "detection": "object-detection",
    "image_to_image": "image-to-image",
    "embedding": "image-feature-extraction",
}

# Fields of a card given as a dict that become prose, with their headings; all others are metadata.
_SECTIONS = {
    "intended_use": "Intended use",
    "limitations": "Limitations",
    "training_data": "Training data",
    "evaluation": "Evaluation",
    "authors": "Authors",
    "citation": "Citation",
    "contact": "Contact",
}

Card = str | Mapping[str, object] | None


def write_card(card: Card, manifest: Manifest, repo_id: str, *, license: str | None = None) -> str:  # noqa: A002  # the word of the card
    """Return the README.md of a revision.

    card: prose, which is kept as it is (metadata that it starts with wins over ours); or a dict
        with `title`, `description`, `intended_use`, `limitations`, `training_data`,
        `evaluation`, `authors`, `citation`, `contact` and any metadata (`license`, `tags`, ...);
        or None for a card made from the manifest alone.
    """
    from huggingface_hub import ModelCard

    fields = dict(card) if isinstance(card, Mapping) else {}
    if isinstance(card, str):
        given = ModelCard(card, ignore_metadata_errors=False)
        prose = given.text.strip()
        metadata = given.data.to_dict()
    else:
        prose = _prose(fields, manifest, repo_id)
        metadata = {
            name: value for name, value in fields.items() if name not in {*_SECTIONS, "title", "description"}
        }
    if license is not None:
        metadata["license"] = license
    return f"---\n{_metadata(metadata, manifest).to_yaml()}\n---\n\n{prose}\n"


def _metadata(given: Mapping[str, Any], manifest: Manifest) -> ModelCardData:
    from huggingface_hub import ModelCardData

    modalities = sorted({each.modality for each in manifest.inputs if each.modality})
    tags = ["voxhub", "medical-imaging", *([manifest.task] if manifest.task else [])]
    tags += [modality.lower() for modality in modalities]
    chosen = cast("list[str] | str", given.get("tags") or [])
    facts: dict[str, Any] = {
        "library_name": "voxhub",
        "pipeline_tag": _PIPELINE_TAG.get(manifest.task or ""),
        "modality": modalities or None,
        "architecture": manifest.architecture.name or manifest.architecture.class_,
        "version": manifest.version,
        "base_model": _base_repository(manifest),
        **given,
        "tags": list(dict.fromkeys([*([chosen] if isinstance(chosen, str) else chosen), *tags])),
    }
    return ModelCardData(**{name: value for name, value in facts.items() if value is not None})


def _base_repository(manifest: Manifest) -> str | None:
    base = manifest.training.base if manifest.training else None
    return base.partition("@")[0] if base else None


def _prose(fields: Mapping[str, object], manifest: Manifest, repo_id: str) -> str:
    architecture = manifest.architecture
    parts = [f"# {fields.get('title') or repo_id.rpartition('/')[2]}"]
    if "description" in fields:
        parts.append(str(fields["description"]))
    rows = [
        ("Task", manifest.task or "not stated"),
        ("Architecture", architecture.name or architecture.class_),
    ]
    if architecture.dim:
        rows.append(("Dimensions", str(architecture.dim)))
    rows += [(f"Input `{each.name}`", describe_input(each)) for each in manifest.inputs]
    rows += [(f"Output `{each.name}`", describe_output(each)) for each in manifest.outputs]
    if manifest.needs and manifest.needs.memory:
        rows.append(("Memory of one run", f"{manifest.needs.memory / 2**20:.0f} MiB"))
    if manifest.training:
        rows += [(name, f"{value:g}") for name, value in manifest.training.metrics.items()]
        rows += [("Trained on", "; ".join(manifest.training.data))] if manifest.training.data else []
        rows += [("Fine-tuned from", manifest.training.base)] if manifest.training.base else []
    parts.append("\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]))
    for field, heading in _SECTIONS.items():
        if field in fields:
            parts.append(f"## {heading}\n\n{_lines(fields[field])}")
    reference = f"{repo_id}@{manifest.version}" if manifest.version else repo_id
    parts.append(
        "## Use\n\n```python\nimport registry_client as vox\n\n"
        f'model = vox.fetch_pretrained("{reference}")\n```'
    )
    return "\n\n".join(parts)


def _lines(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(f"- {item}" for item in cast("list[object]", value))
    return str(value).strip()


def describe_input(image: Input) -> str:
    parts = [image.modality or "image", f"{image.channels} channel{'s' if image.channels > 1 else ''}"]
    if image.orientation:
        parts.append(f"axes {image.orientation}")
    if image.spacing:
        parts.append(" x ".join(f"{step:g}" for step in image.spacing) + " mm")
    if image.size and image.size.value is not None:
        value = image.size.value
        sizes = str(value) if isinstance(value, int) else " x ".join(map(str, value))
        parts.append(
            ("sizes that are multiples of " if image.size.rule == "multiple_of" else "size ") + sizes
        )
    if image.intensity and image.intensity.rule != "none":
        parts.append(f"intensities by {image.intensity.rule.replace('_', ' ')}")
    return ", ".join(parts)


def describe_output(answer: Output) -> str:
    if answer.classes:
        return ", ".join(f"{label.value} = {label.name}" for label in answer.classes)
    return f"in {answer.unit}" if answer.unit else "values"
