"""The model card: metadata that a hub can index, prose that is kept."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard

from registry_client.cards import Card, write_card
from registry_client.manifest import Architecture, Class, Input, Manifest, Output

MANIFEST = Manifest(
    architecture=Architecture(name="meshnet", dim=3, version=1),
    version="1.0.0",
    task="segmentation",
    inputs=(Input(modality="MR", orientation="RAS", spacing=(1, 1, 1.5)),),
    outputs=(Output(classes=(Class(value=0, name="background"), Class(value=1, name="brain"))),),
)


def read(card: Card, license: str | None = None) -> ModelCard:  # noqa: A002  # the word of the card
    return ModelCard(write_card(card, MANIFEST, "lab/brain", license=license))


def test_a_card_from_nothing_states_the_facts() -> None:
    card = read(None, license="mit")
    facts = card.data.to_dict()
    assert facts["license"] == "mit"
    assert facts["library_name"] == "voxhub"
    assert facts["pipeline_tag"] == "image-segmentation"
    assert facts["modality"] == ["MR"]
    assert {"medical-imaging", "segmentation", "mr"} <= set(facts["tags"])
    for words in ("axes RAS", "1 x 1 x 1.5 mm", "1 = brain", 'fetch_pretrained("lab/brain@1.0.0")'):
        assert words in card.text


def test_prose_is_kept_and_its_metadata_wins() -> None:
    card = read("---\nlicense: apache-2.0\npipeline_tag: other\ntags: [own]\n---\n\n# Mine\n\nProse.")
    assert card.text.strip() == "# Mine\n\nProse."
    assert card.data.to_dict()["pipeline_tag"] == "other"
    assert card.data.to_dict()["license"] == "apache-2.0"
    assert card.data.to_dict()["tags"][0] == "own"


def test_prose_without_metadata_is_kept() -> None:
    assert read("Just words.").text.strip() == "Just words."


def test_fields_become_sections_or_metadata() -> None:
    card = read({"title": "Brain", "limitations": ["adults only"], "license": "mit", "datasets": ["mni"]})
    assert card.text.strip().startswith("# Brain")
    assert "## Limitations\n\n- adults only" in card.text
    assert card.data.to_dict()["datasets"] == ["mni"]


@pytest.mark.parametrize("text", ["a: b\n---\nx", "'\"`", "emoji \U0001f9e0", "\tx"])
def test_no_text_breaks_the_metadata(text: str) -> None:
    assert read({"license": text}).data.to_dict()["license"] == text
