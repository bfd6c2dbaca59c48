"""Lists of repositories: filters, orders, pages, and nothing private for strangers."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from hub_in_process import Hub, file

CARD = b"""---
tags: [brain, shared]
license: mit
language: [en, no]
library_name: monai
pipeline_tag: image-segmentation
---
# A model
"""
MANIFEST = (
    b'{"task": "segmentation", "architecture": {"name": "unet", "dim": 3, "version": 1},'
    b' "inputs": [{"modality": "MR"}]}'
)


def names(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [entry["id"] for entry in reply.json()]


def pages(hub: Hub, path: str, *, user: str | None = "alice") -> list[list[str]]:
    """Follow `Link` to the end."""
    found: list[list[str]] = []
    while path:
        reply = hub.get(path, user=user)
        found.append(names(reply))
        link = reply.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        address = urlsplit(link.partition(">")[0].removeprefix("<"))
        path = f"{address.path}?{address.query}" if link else ""
    return found


@pytest.fixture
def models(hub: Hub) -> list[str]:
    """Five models of alice, the oldest first; the second is private."""
    for number in range(5):
        hub.new_repo(f"m{number}", private=number == 1)
    return [f"alice/m{number}" for number in range(5)]


def test_a_list_shows_what_the_caller_may_see(hub: Hub, models: list[str]) -> None:
    public = [name for name in models if name != "alice/m1"]
    assert names(hub.get("/api/models?sort=createdAt")) == models[::-1]
    assert names(hub.get("/api/models?sort=createdAt", user="admin")) == models[::-1]
    for user in ("bob", None):
        assert names(hub.get("/api/models?sort=createdAt", user=user)) == public[::-1]
        assert pages(hub, "/api/models?sort=createdAt&limit=1", user=user) == [
            [name] for name in public[::-1]
        ]
    assert names(hub.get("/api/datasets")) == []
    hub.new_repo("hidden", namespace="lab", private=True, user="admin")
    assert "lab/hidden" in names(hub.get("/api/models"))
    assert "lab/hidden" not in names(hub.get("/api/models", user="bob"))


@pytest.mark.parametrize("sort", ["createdAt", "lastModified", "downloads", "likes", "trendingScore"])
@pytest.mark.parametrize("direction", [-1, 1])
def test_pages_hold_each_repository_once(hub: Hub, models: list[str], sort: str, direction: int) -> None:
    found = pages(hub, f"/api/models?sort={sort}&direction={direction}&limit=2")
    assert [len(page) for page in found] == [2, 2, 1]
    flat = [name for page in found for name in page]
    # Equal values are told apart by age, so every order here is one by age.
    assert flat == (models if direction == 1 else models[::-1])


def test_a_page_is_not_disturbed_by_what_changes_between(hub: Hub, models: list[str]) -> None:
    first = hub.get("/api/models?sort=createdAt&limit=2")
    hub.new_repo("newer")
    hub.delete("/api/repos/delete", json={"name": "m4"})
    address = urlsplit(first.headers["link"].partition(">")[0].removeprefix("<"))
    second = hub.get(f"{address.path}?{address.query}")
    assert names(first) + names(second) == [models[4], models[3], models[2], models[1]]


def test_search_and_author_narrow_the_list(hub: Hub, models: list[str]) -> None:
    hub.new_repo("t1_tissue", namespace="lab")
    assert names(hub.get("/api/models?search=TISSUE")) == ["lab/t1_tissue"]
    assert names(hub.get("/api/models?search=lab tissue")) == ["lab/t1_tissue"]
    # `_` and `%` are themselves, not wildcards.
    assert names(hub.get("/api/models?search=1_t")) == ["lab/t1_tissue"]
    assert names(hub.get("/api/models?search=1_3")) == []
    assert names(hub.get("/api/models", params={"search": "%"})) == []
    assert set(names(hub.get("/api/models?author=ALICE"))) == set(models)
    assert names(hub.get("/api/models?author=nobody")) == []


@pytest.mark.parametrize(
    "query",
    [
        "filter=brain",
        "filter=brain&filter=shared",
        "filter=license:mit",
        "filter=language:no",
        "filter=no",
        "filter=monai",
        "filter=image-segmentation",
        "filter=task:segmentation",
        "filter=architecture:unet",
        "filter=modality:MR",
        "pipeline_tag=image-segmentation",
    ],
)
def test_filters_read_the_card_and_the_manifest(hub: Hub, models: list[str], query: str) -> None:
    hub.commit("models/alice/m3", file("README.md", CARD), file("config.json", MANIFEST))
    assert names(hub.get(f"/api/models?{query}")) == [models[3]]
    assert names(hub.get(f"/api/models?{query}&filter=other")) == []


def test_filters_follow_the_main_branch(hub: Hub, models: list[str]) -> None:
    hub.commit("models/alice/m0", file("README.md", CARD))
    hub.commit("models/alice/m0", file("README.md", b"---\ntags: [lung]\n---\n"))
    assert names(hub.get("/api/models?filter=brain")) == []
    assert names(hub.get("/api/models?filter=lung")) == [models[0]]
    hub.post("/api/models/alice/m0/branch/dev", json={})
    hub.commit("models/alice/m0", file("README.md", b"---\ntags: [heart]\n---\n"), revision="dev")
    assert names(hub.get("/api/models?filter=heart")) == []


def test_full_card_and_config_add_properties(hub: Hub, models: list[str]) -> None:
    hub.commit("models/alice/m0", file("README.md", CARD), file("config.json", MANIFEST))
    short = hub.get("/api/models?search=m0").json()[0]
    assert "siblings" not in short
    assert "cardData" not in short
    long = hub.get("/api/models?search=m0&full=true&cardData=true&config=true").json()[0]
    assert [entry["rfilename"] for entry in long["siblings"]] == [
        ".gitattributes",
        "README.md",
        "config.json",
    ]
    assert long["sha"] == hub.get(f"/api/models/{models[0]}").json()["sha"]
    assert long["cardData"]["language"] == ["en", "no"]
    assert long["config"]["task"] == "segmentation"
    only = hub.get("/api/models?search=m0&expand=downloads").json()[0]
    assert set(only) == {"_id", "id", "downloads"}


@pytest.mark.parametrize("query", ["gated=true", "apps=x", "inference=warm", "inference_provider=all"])
def test_what_no_repository_has_finds_none(hub: Hub, models: list[str], query: str) -> None:
    assert models
    assert names(hub.get(f"/api/models?{query}")) == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("sort=size", 400),
        ("direction=2", 400),
        ("limit=many", 400),
        ("cursor=x", 400),
        ("cursor=WzEsMiwzXQ", 400),
        ("cursor=WyJhIiwxXQ", 400),
        ("cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5LDFd", 400),
        ("cursor=Wzk5OTk5OTk5OTk5OTk5OTk5LDFd&sort=createdAt", 400),
        ("expand=nope", 400),
        ("search=a%00b", 400),
        ("num_parameters=min:6B", 501),
        ("&".join(f"filter=t{number}" for number in range(40)), 400),
    ],
)
def test_a_bad_question_is_refused(hub: Hub, query: str, status: int) -> None:
    assert hub.get(f"/api/models?{query}").status_code == status


def test_a_page_is_never_larger_than_its_bound(hub: Hub, models: list[str]) -> None:
    assert len(names(hub.get("/api/models?limit=999999999"))) == len(models)
    assert len(names(hub.get("/api/models?limit=0"))) == 1
    assert len(names(hub.get("/api/models?limit=-5"))) == 1


def test_tags_are_counted_only_where_they_may_be_seen(hub: Hub) -> None:
    hub.new_repo("open")
    hub.new_repo("secret", private=True)
    hub.commit("models/alice/open", file("README.md", b"---\nlicense: mit\ntags: [brain]\n---\n"))
    hub.commit("models/alice/secret", file("README.md", b"---\nlicense: secret\n---\n"))
    mine = hub.get("/api/models-tags-by-type").json()
    assert {tag["label"] for tag in mine["license"]} == {"mit", "secret"}
    theirs = hub.get("/api/models-tags-by-type", user=None).json()
    assert theirs == {
        "license": [{"id": "license:mit", "label": "mit", "type": "license"}],
        "other": [{"id": "brain", "label": "brain", "type": "other"}],
    }
