"""Cards: a stranger's YAML and JSON become plain values, bounded, or nothing."""

import json
import struct
import time
from typing import Any

import pytest
from hub_in_process import Hub, file, large
from hypothesis import given
from hypothesis import strategies as st

from hub.repos import cards, tags
from hub.repos.cards import CardError


def card(block: str) -> bytes:
    return f"---\n{block}\n---\n# Title\n".encode()


def validate(hub: Hub, content: str) -> Any:
    return hub.post("/api/validate-yaml", json={"content": content, "repoType": "model"})


@pytest.mark.parametrize(
    ("block", "values"),
    [
        ("a: 1", {"a": 1}),
        ("a: -2.5e3", {"a": -2500.0}),
        ("a: no", {"a": "no"}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 0x1F", {"a": "0x1F"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: true\nb: ~\nc: 'true'", {"a": True, "b": None, "c": "true"}),
        ("a:\n- x\n- {y: [z]}", {"a": ["x", {"y": ["z"]}]}),
        ("a: |\n  two\n  lines", {"a": "two\nlines"}),
        ("a: !!str 5", {"a": "5"}),
        ("1: a", {"1": "a"}),
        ("a: " + "9" * 5000, {"a": "9" * 5000}),
        ("a: 1e999", {"a": "1e999"}),
        ("", {}),
    ],
)
def test_yaml_is_read_as_plain_values(block: str, values: dict[str, object]) -> None:
    assert cards.metadata(card(block)) == values


@pytest.mark.parametrize(
    "text", ["# Only prose\n", "", "--- not metadata\n", "text\n---\na: 1\n---\n", "---\na: 1\nno end\n"]
)
def test_a_card_without_a_block_has_no_metadata(text: str) -> None:
    assert cards.metadata(text.encode()) == {}


@pytest.mark.parametrize("text", ["---\r\na: 1\r\n---\r\nx", "\ufeff---\na: 1\n---\n", "\n\n---\na: 1\n---"])
def test_line_ends_and_marks_do_not_matter(text: str) -> None:
    assert cards.metadata(text.encode()) == {"a": 1}


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("a: [", "not YAML"),
        ("a: 1\na: 2", "twice"),
        ("- a", "key: value"),
        ("just text", "key: value"),
        ("a: &x 1\nb: *x", "alias"),
        ("a: !!python/object:os.system x", "tag"),
        ("a: !!binary aGk=", "tag"),
        ("? [a]\n: 1", "key"),
        ("a: " + "[" * 100 + "]" * 100, "deep"),
        ("a: " + "[" * 100_000, "deep"),
        ("a:\n" + "- 1\n" * 60_000, "more than"),
        ("a: " + "x" * 300_000, "characters"),
        ('a: "\\uD800"', "not YAML"),
        ("a: \x00", "not YAML"),
    ],
)
def test_what_cannot_be_read_safely_is_refused(block: str, reason: str) -> None:
    started = time.process_time()
    with pytest.raises(CardError, match=reason):
        cards.metadata(card(block))
    # The largest of these takes a tenth of a second; what is refused late would take minutes.
    assert time.process_time() - started < 5


def test_a_bomb_of_aliases_is_refused_at_its_first() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10) if n else 'x'}]" for n in range(12))
    with pytest.raises(CardError, match=r"alias .* line 3"):
        cards.metadata(card(levels))


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(CardError, match="UTF-8"):
        cards.metadata(b"---\na: \xff\n---\n")
    with pytest.raises(CardError, match="bytes"):
        cards.metadata(card("a: 1") + bytes(cards.LARGEST_CARD))


@given(st.text(alphabet="-:[]{}&*!|>'\"#?,%@` \n\tab01~<\ufeff\x85", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        values = cards.parse(text)
    except CardError:
        return
    assert json.loads(json.dumps(values)) == values


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_tags_come_from_any_value(value: object) -> None:
    found = tags.collect({"tags": value, "license": value}, {"task": value, "architecture": value})
    assert all(tag and len(tag) <= tags.LONGEST_TAG and tag.isprintable() for tag in found)


def test_tags_say_what_card_and_manifest_say() -> None:
    said: dict[str, object] = {
        "tags": ["brain", "x" * 200, 5],
        "license": "mit",
        "language": ["en", "no"],
        "datasets": "lab/scans",
        "base_model": "lab/base",
        "modality": ["MR"],
        "task_categories": ["image-segmentation"],
    }
    config: dict[str, object] = {
        "task": "segmentation",
        "architecture": {"name": "unet", "dim": 3},
        "inputs": [{"modality": "CT"}, 5],
        "model_type": "vit",
    }
    assert tags.collect(said, config) == [
        "architecture:unet",
        "base_model:lab/base",
        "brain",
        "dataset:lab/scans",
        "dim:3",
        "en",
        "language:en",
        "language:no",
        "license:mit",
        "modality:CT",
        "modality:MR",
        "no",
        "task:segmentation",
        "task_categories:image-segmentation",
        "vit",
    ]


def test_validation_answers_json_for_every_card(hub: Hub) -> None:
    good = validate(hub, "---\nlicense: mit\n---\n")
    assert (good.status_code, good.json()) == (200, {"errors": [], "warnings": []})
    empty = validate(hub, "# Only prose")
    assert empty.status_code == 200
    assert "empty or missing" in empty.json()["warnings"][0]["message"]
    bad = validate(hub, "---\nlicense: [mit\n---\n")
    assert bad.status_code == 400
    assert "line" in bad.json()["errors"][0]["message"]
    half = hub.post("/api/validate-yaml", content=b'{"content": "\\ud800"}')
    assert half.status_code in {200, 400}
    assert half.json()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("README.md", b"---\na: [\n---\n"),
        ("README.md", b"\xff\xfe"),
        ("README.md", b"---\na: &x [1]\nb: *x\n---\n"),
        ("config.json", b"{"),
        ("config.json", b"[" * 100_000),
        ("config.json", b'{"a": NaN}'),
        ("config.json", b'{"a": "\\ud800"}'),
        ("config.json", b"[1, 2]"),
        ("config.json", b'{"task": {"a": 1}, "architecture": [[]], "inputs": 5}'),
    ],
)
def test_a_commit_is_taken_whatever_its_card_says(hub: Hub, path: str, content: bytes) -> None:
    hub.new_repo("m")
    assert hub.commit("models/alice/m", file(path, content)).status_code == 200
    info = hub.get("/api/models/alice/m").json()
    assert info["cardData"] == {}
    assert info["tags"] == []


def safetensors(header: bytes, *, size: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if size is None else size) + header + bytes(64)


def test_parameters_are_counted_by_type(hub: Hub) -> None:
    repo = hub.new_repo("m")
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "b": {"dtype": "F16", "shape": [5], "data_offsets": [24, 34]},
            "c": {"dtype": "F32", "shape": [], "data_offsets": [34, 38]},
        }
    ).encode()
    content = safetensors(header)
    oid = hub.keep_large(repo, content)
    hub.commit("models/alice/m", large("model.safetensors", oid, len(content)))
    for _ in range(2):
        told = hub.get("/api/models/alice/m").json()["safetensors"]
        assert told == {"parameters": {"F32": 7, "F16": 5}, "total": 12}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        safetensors(b"{}"),
        safetensors(b"{", size=1 << 60),
        safetensors(b"not json"),
        safetensors(b"[" * 10_000),
        safetensors(b'{"a": {"dtype": "F32", "shape": [-1]}}'),
        safetensors(b'{"a": {"dtype": "F32", "shape": [9223372036854775807, 9223372036854775807]}}'),
        safetensors(json.dumps({"a": {"dtype": "F32", "shape": [2] * 100}}).encode()),
    ],
)
def test_weights_that_cannot_be_read_say_nothing(hub: Hub, content: bytes) -> None:
    hub.new_repo("m")
    hub.commit("models/alice/m", file("model.safetensors", content))
    info = hub.get("/api/models/alice/m")
    assert info.status_code == 200
    assert "safetensors" not in info.json()
