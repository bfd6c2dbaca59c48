"""Models through a real hub: registered in one place, fetched in another as the same network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

import registry_client as vox
from registry_client.architectures import fetch_architecture

if TYPE_CHECKING:
    from hub_process import HubServer
    from torch import nn

pytestmark = pytest.mark.xdist_group("torch")

# Nobody listens here: a call that succeeds with this address made no request.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def account(hub_server: HubServer) -> tuple[str, str]:
    """Make one user for this file, since that takes seconds; each test has its own repositories."""
    return hub_server.new_user()


@pytest.fixture
def owner(hub_server: HubServer, account: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Sign the user in through the environment and return its name."""
    name, token = account
    monkeypatch.setenv("VOXHUB_ENDPOINT", hub_server.endpoint)
    monkeypatch.setenv("VOXHUB_TOKEN", token)
    return name


def network(**arguments: Any) -> nn.Module:
    """Return a small network; each call has other random weights."""
    return fetch_architecture("meshnet", 3)((16, 16, 16, 1), **{"dilations": (1, 2), **arguments})


def same(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two modules have the same names and bit for bit the same values."""
    import torch

    ours, theirs = one.state_dict(), other.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_registered_model_is_fetched_as_the_same_network(owner: str, hub_server: HubServer) -> None:
    model = network(number_of_outputs=3)
    done = vox.register_pretrained(
        model,
        f"{owner}/tissue",
        version="1.0.0",
        task="segmentation",
        inputs={"modality": "MR", "spacing": [1, 1, 1], "orientation": "RAS"},
        outputs={"classes": [{"value": value, "name": f"tissue {value}"} for value in range(3)]},
        card={"description": "Tissue of the brain.", "license": "mit"},
        message="first release",
    )
    fetched = vox.fetch_pretrained(f"{owner}/tissue")
    assert same(model, fetched)
    assert not fetched.training
    assert fetched.revision == done.revision
    assert fetched.origin == f"{owner}/tissue@{done.revision}"
    assert fetched.manifest.inputs[0].spacing == (1, 1, 1)
    assert "Tissue of the brain." in fetched.card
    assert done.url == f"{hub_server.endpoint}/{owner}/tissue"


def test_one_registration_is_one_commit_and_one_tag(owner: str) -> None:
    done = vox.register_pretrained(network(), f"{owner}/once", version="1.0.0", message="first release")
    api = HfApi(endpoint=done.url.rsplit("/", 2)[0], token=False)
    history = [(commit.title, commit.commit_id) for commit in api.list_repo_commits(f"{owner}/once")]
    assert history[0] == ("first release", done.revision)
    # The hub's own first commit (.gitattributes) is all that may stand below it.
    assert len(history) <= 2
    assert [(each.name, each.revision) for each in vox.versions(f"{owner}/once")] == [
        ("1.0.0", done.revision)
    ]
    assert {"config.json", "model.safetensors", "README.md"} <= set(api.list_repo_files(f"{owner}/once"))


def test_versions_branches_and_commits_are_told_apart(owner: str) -> None:
    first, second = network(), network()
    old = vox.register_pretrained(first, f"{owner}/two", version="1.0.0")
    new = vox.register_model(second, f"{owner}/two", version="2.0.0")
    for reference, expected in (
        (f"{owner}/two", second),
        (f"{owner}/two@main", second),
        (f"{owner}/two@1.0.0", first),
        (f"{owner}/two@{old.revision}", first),
        (f"{owner}/two@{new.revision}", second),
    ):
        assert same(vox.fetch_pretrained(reference), expected), reference
    assert same(vox.fetch_pretrained(f"{owner}/two", revision="1.0.0"), first)
    assert [each.name for each in vox.versions(f"{owner}/two")] == ["2.0.0", "1.0.0"]


def test_a_taken_version_is_refused_before_anything_is_written(owner: str) -> None:
    done = vox.register_pretrained(network(), f"{owner}/taken", version="1.0.0")
    with pytest.raises(vox.VersionExistsError, match=r"has version `1.0.0` already.*choose the next"):
        vox.register_pretrained(network(), f"{owner}/taken", version="1.0.0")
    assert vox.fetch_pretrained(f"{owner}/taken").revision == done.revision


def test_a_model_that_cannot_be_fetched_creates_no_repository(owner: str) -> None:
    import torch

    with pytest.raises(ValueError, match="Three ways to go on"):
        vox.register_pretrained(torch.nn.Sequential(torch.nn.ReLU()), f"{owner}/never", version="1")
    with pytest.raises(ValueError, match="spacing must be"):
        vox.register_pretrained(network(), f"{owner}/never", inputs={"spacing": [1, 0, 1]})
    with pytest.raises(ValueError, match="version must be"):
        vox.register_pretrained(network(), f"{owner}/never", version="a/../b")
    with pytest.raises(RepositoryNotFoundError):
        vox.versions(f"{owner}/never")


def test_a_warm_cache_answers_a_commit_without_any_request(owner: str, hub_server: HubServer) -> None:
    model = network()
    done = vox.register_pretrained(model, f"{owner}/warm", version="1.0.0")
    vox.fetch_pretrained(f"{owner}/warm")
    cache = next(path for path in Path(cache_root()).iterdir() if path.is_dir())
    fetched = vox.fetch_pretrained(f"{owner}/warm@{done.revision}", endpoint=NOWHERE, cache_dir=cache)
    assert same(fetched, model)
    assert same(vox.fetch_pretrained(f"{owner}/warm", local_files_only=True), model)
    with pytest.raises(LocalEntryNotFoundError):
        vox.fetch_pretrained(f"{owner}/cold", local_files_only=True)
    assert hub_server.endpoint.rsplit(":", 1)[1] in cache.name


def test_a_card_alone_in_the_cache_is_no_model(owner: str) -> None:
    vox.register_pretrained(network(), f"{owner}/carded")
    vox.model_card(f"{owner}/carded")
    with pytest.raises(LocalEntryNotFoundError, match=r"not whole in the cache|Cannot find"):
        vox.fetch_pretrained(f"{owner}/carded", local_files_only=True)


def cache_root() -> str:
    import os

    return os.environ["VOXHUB_CACHE"]


def test_a_new_head_is_registered_as_its_own_model_with_its_origin(owner: str) -> None:
    base = vox.register_pretrained(
        network(number_of_outputs=3),
        f"{owner}/base",
        version="1.0.0",
        inputs={"modality": "MR", "spacing": [1, 1, 1]},
        outputs={"classes": [{"value": value, "name": str(value)} for value in range(3)]},
        training={"metrics": {"dice": 0.9}},
    )
    tuned = vox.fetch_pretrained(f"{owner}/base@1.0.0", number_of_outputs=5)
    assert tuned.new_layers
    vox.register_pretrained(tuned, f"{owner}/tuned")
    fetched = vox.fetch_pretrained(f"{owner}/tuned")
    assert same(fetched, tuned)
    assert fetched.manifest.training is not None
    assert fetched.manifest.training.base == f"{owner}/base@{base.revision}"
    # The images are the same; the classes of three outputs and the measured Dice are not.
    assert fetched.manifest.inputs[0].modality == "MR"
    assert fetched.manifest.outputs == ()
    assert fetched.manifest.training.metrics == {}
    assert vox.model_card(f"{owner}/tuned").data.to_dict()["base_model"] == f"{owner}/base"


def test_only_the_three_files_are_downloaded(owner: str, tmp_path: Path) -> None:
    vox.register_pretrained(network(), f"{owner}/extra")
    (tmp_path / "weights.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    vox.push(tmp_path, f"{owner}/extra")
    vox.fetch_pretrained(f"{owner}/extra")
    found = {path.name for path in Path(cache_root()).rglob("*")}
    assert "model.safetensors" in found
    assert "weights.pkl" not in found


def test_a_stale_graph_does_not_survive_new_weights(owner: str, tmp_path: Path) -> None:
    vox.register_pretrained(network(), f"{owner}/graph")
    (tmp_path / "model.onnx").write_bytes(b"graph of the first weights")
    vox.push(tmp_path, f"{owner}/graph")
    done = vox.register_pretrained(network(), f"{owner}/graph")
    pulled = vox.pull(f"{owner}/graph@{done.revision}", tmp_path / "pulled")
    assert (pulled / "model.safetensors").is_file()
    assert not (pulled / "model.onnx").exists()


def test_pushed_files_are_pulled_unchanged(owner: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep er").mkdir(parents=True)
    (source / "deep er" / "ä.txt").write_text("text")
    (source / "large.bin").write_bytes(bytes(range(256)) * 50_000)
    done = vox.push(source, f"{owner}/files", version="0.1", message="files")
    pulled = vox.pull(f"{owner}/files@0.1", tmp_path / "pulled")
    for name in ("deep er/ä.txt", "large.bin"):
        assert (pulled / name).read_bytes() == (source / name).read_bytes()
    assert vox.versions(f"{owner}/files")[0].revision == done.revision


def test_push_checks_the_manifest_first(owner: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"manifest_version": 1, "architecture": {"name": "x"}}')
    with pytest.raises(ValueError, match="`dim` is missing"):
        vox.push(tmp_path, f"{owner}/broken")
    with pytest.raises(RepositoryNotFoundError):
        vox.versions(f"{owner}/broken")
    with pytest.raises(NotADirectoryError):
        vox.push(tmp_path / "absent", f"{owner}/broken")


def test_a_private_model_does_not_exist_for_strangers(
    owner: str, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vox.register_pretrained(network(), f"{owner}/secret", private=True)
    assert f"{owner}/secret" in [model.id for model in vox.list_models(author=owner)]
    monkeypatch.setenv("VOXHUB_TOKEN", hub_server.new_user()[1])
    with pytest.raises(RepositoryNotFoundError):
        vox.fetch_pretrained(f"{owner}/secret")
    assert f"{owner}/secret" not in [model.id for model in vox.list_models(author=owner)]


def test_what_is_not_there_is_the_hubs_own_error(owner: str) -> None:
    with pytest.raises(RepositoryNotFoundError):
        vox.fetch_pretrained(f"{owner}/nothing")
    vox.register_pretrained(network(), f"{owner}/there")
    with pytest.raises(RevisionNotFoundError):
        vox.fetch_pretrained(f"{owner}/there@9.9")


def test_a_read_token_registers_nothing(
    owner: str, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXHUB_TOKEN", hub_server.run("token", "create", owner, "--role", "read").strip())
    with pytest.raises(HfHubHTTPError) as caught:
        vox.register_pretrained(network(), f"{owner}/denied")
    assert caught.value.response.status_code in {401, 403}


def test_deleting_removes_a_version_or_everything(owner: str) -> None:
    vox.register_pretrained(network(), f"{owner}/gone", version="1.0.0")
    vox.delete(f"{owner}/gone@1.0.0")
    assert vox.versions(f"{owner}/gone") == []
    vox.fetch_pretrained(f"{owner}/gone")
    vox.delete(f"{owner}/gone")
    with pytest.raises(RepositoryNotFoundError):
        vox.versions(f"{owner}/gone")


@pytest.mark.parametrize("reference", ["tissue", "a/b/c", "/x", "lab/x@", "lab/"])
def test_a_reference_that_is_no_name_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=r"owner/name|no revision"):
        vox.fetch_pretrained(reference)


def test_another_process_with_an_empty_cache_gives_the_same_answer(owner: str, tmp_path: Path) -> None:
    import torch

    model = network(number_of_outputs=3).eval()
    vox.register_pretrained(model, f"{owner}/elsewhere", version="1.0.0")
    code = (
        "import sys, torch, registry_client as vox\n"
        "model = vox.fetch_pretrained(sys.argv[1], cache_dir=sys.argv[2])\n"
        "image = torch.linspace(0, 1, 16**3).reshape(1, 1, 16, 16, 16)\n"
        "with torch.inference_mode(): print(model(image).argmax(1).flatten().tolist())\n"
    )
    command = [sys.executable, "-c", code, f"{owner}/elsewhere@1.0.0", str(tmp_path / "empty")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    image = torch.linspace(0, 1, 16**3).reshape(1, 1, 16, 16, 16)
    with torch.inference_mode():
        assert answer.stdout.strip() == str(model(image).argmax(1).flatten().tolist())
