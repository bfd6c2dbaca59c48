"""A tour of a stock `huggingface_hub`, run in a process of its own: `python stock_tour.py REPORT`.

HF_ENDPOINT, HF_TOKEN and the rest come from the environment, as a user would set them; TOUR_STRANGER is
another user's token, TOUR_READER a read-only one of the same user, TOUR_ORG an organisation of theirs. Each
stop is a function; REPORT receives {stop: "ok" or its traceback}. Nothing here knows the hub's code.
"""

import hashlib
import json
import os
import secrets
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import huggingface_hub
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    ModelCard,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

api = HfApi()
stranger = HfApi(token=os.environ["TOUR_STRANGER"])
nobody = HfApi(token=False)
ME: str = api.whoami()["name"]
ORG = os.environ["TOUR_ORG"]
SMALL = b'{"a": 1}\n'
# More than one chunk of Xet, and more than what a client keeps in memory of a body.
LARGE = secrets.token_bytes(3 << 20) + bytes(1 << 20) + secrets.token_bytes(1 << 20)

T = TypeVar("T")
stops: dict[str, Callable[[], None]] = {}


def stop(function: Callable[[], None]) -> Callable[[], None]:
    stops[function.__name__] = function
    return function


def new_repo(*, private: bool = False, kind: str = "model") -> str:
    return api.create_repo(f"{ME}/tour-{secrets.token_hex(4)}", private=private, repo_type=kind).repo_id


def known(value: T | None) -> T:
    """What a client may leave out and here may not be missing."""
    assert value is not None
    return value


def fresh() -> str:
    return tempfile.mkdtemp()


def refused(error: type[Exception], call: Callable[[], object]) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{error.__name__} was expected")


def refused_with(status: int, call: Callable[[], object]) -> str:
    try:
        call()
    except HfHubHTTPError as caught:
        if caught.response.status_code != status:
            raise
        return str(caught)
    raise AssertionError(f"{status} was expected")


@stop
def create_is_idempotent_with_exist_ok() -> None:
    url = api.create_repo(f"{ME}/tour-exists", exist_ok=True)
    assert url.repo_id == f"{ME}/tour-exists"
    assert api.create_repo(f"{ME}/tour-exists", exist_ok=True).repo_id == url.repo_id
    assert "409" in refused_with(409, lambda: api.create_repo(f"{ME}/tour-exists"))
    assert "409" in refused_with(409, lambda: api.create_repo(f"{ME}/TOUR-exists"))
    assert api.create_repo("tour-bare-name", exist_ok=True).repo_id == f"{ME}/tour-bare-name"


@stop
def create_in_an_organisation() -> None:
    name = f"{ORG}/tour-{secrets.token_hex(4)}"
    assert api.create_repo(name, repo_type="dataset").repo_id == name
    assert api.repo_info(name, repo_type="dataset").author == ORG
    refused_with(403, lambda: stranger.create_repo(f"{ORG}/tour-no"))


@stop
def upload_and_download_a_small_file() -> None:
    repo = new_repo()
    info = api.upload_file(path_or_fileobj=SMALL, path_in_repo="config.json", repo_id=repo)
    assert info.oid == api.model_info(repo).sha
    path = hf_hub_download(repo, "config.json", cache_dir=fresh())
    assert Path(path).read_bytes() == SMALL


@stop
def upload_and_download_a_large_file() -> None:
    repo = new_repo()
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(LARGE)
        file.flush()
        api.upload_file(path_or_fileobj=file.name, path_in_repo="model.safetensors", repo_id=repo)
    path = hf_hub_download(repo, "model.safetensors", cache_dir=fresh())
    assert hashlib.sha256(Path(path).read_bytes()).digest() == hashlib.sha256(LARGE).digest()
    info: Any = api.get_paths_info(repo, ["model.safetensors"])[0]
    assert info.lfs.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert info.size == len(LARGE)


@stop
def upload_a_large_file_object() -> None:
    repo = new_repo()
    with tempfile.TemporaryFile() as file:
        file.write(LARGE)
        file.seek(0)
        api.upload_file(path_or_fileobj=file, path_in_repo="w/model.bin", repo_id=repo)
    path = hf_hub_download(repo, "w/model.bin", cache_dir=fresh())
    assert Path(path).read_bytes() == LARGE


@stop
def upload_a_folder_and_take_a_snapshot() -> None:
    repo = new_repo()
    files = {
        "README.md": b"---\nlicense: mit\n---\n# Tour\n",
        "config.json": SMALL,
        "model.safetensors": LARGE,
        "empty.txt": b"",
        "deep/er/note.txt": b"deep",
        "d\xe9j\xe0 vu/100% a+b 'q'.txt": b"odd",
    }
    folder = Path(fresh())
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    api.upload_folder(folder_path=folder, repo_id=repo, commit_message="All of it")
    taken = Path(snapshot_download(repo, cache_dir=fresh()))
    found = {
        path.relative_to(taken).as_posix(): path.read_bytes() for path in taken.rglob("*") if path.is_file()
    }
    del found[".gitattributes"]
    assert found == files
    local = Path(fresh())
    snapshot_download(repo, local_dir=local, allow_patterns=["*.txt"])
    assert (local / "deep/er/note.txt").read_bytes() == b"deep"


@stop
def snapshot_of_a_dataset() -> None:
    repo = new_repo(kind="dataset")
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="scan.nii.gz", repo_id=repo, repo_type="dataset")
    taken = Path(snapshot_download(repo, repo_type="dataset", cache_dir=fresh()))
    assert (taken / "scan.nii.gz").read_bytes() == LARGE


@stop
def a_commit_adds_copies_and_deletes() -> None:
    repo = new_repo()
    first = api.create_commit(
        repo,
        [
            CommitOperationAdd("a.txt", b"a"),
            CommitOperationAdd("old/b.txt", b"b"),
            CommitOperationAdd("old/c.bin", LARGE),
        ],
        commit_message="First",
    )
    api.create_commit(
        repo,
        [
            CommitOperationCopy("old/c.bin", "new/c.bin"),
            CommitOperationCopy("a.txt", "new/a.txt"),
            CommitOperationDelete("old/", is_folder=True),
            CommitOperationDelete("a.txt"),
        ],
        commit_message="Second",
        parent_commit=first.oid,
    )
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "new/a.txt", "new/c.bin"]
    assert Path(hf_hub_download(repo, "new/c.bin", cache_dir=fresh())).read_bytes() == LARGE
    stale = refused_with(
        412,
        lambda: api.create_commit(
            repo, [CommitOperationAdd("x", b"x")], commit_message="No", parent_commit=first.oid
        ),
    )
    assert "branch was updated" in stale
    assert len(api.list_repo_commits(repo)) == 3


@stop
def delete_file_and_folder() -> None:
    repo = new_repo()
    api.create_commit(
        repo,
        [CommitOperationAdd(path, b"x") for path in ("a", "d/b", "d/c")],
        commit_message="Add",
    )
    api.delete_file("a", repo)
    api.delete_folder("d", repo)
    assert api.list_repo_files(repo) == [".gitattributes"]
    refused(EntryNotFoundError, lambda: api.delete_file("a", repo))


@stop
def list_the_tree() -> None:
    repo = new_repo()
    api.create_commit(
        repo,
        [CommitOperationAdd(path, b"x") for path in ("a b.txt", "d/b", "d/e/c")],
        commit_message="Add",
    )
    names = [entry.path for entry in api.list_repo_tree(repo, recursive=True)]
    assert names == [".gitattributes", "a b.txt", "d", "d/b", "d/e", "d/e/c"]
    assert [entry.path for entry in api.list_repo_tree(repo, "d")] == ["d/b", "d/e"]
    told = api.list_repo_tree(repo, recursive=True, expand=True)
    last = {entry.path: known(entry.last_commit).title for entry in told}
    assert last["d/b"] == "Add"
    assert last[".gitattributes"] == "initial commit"
    refused(EntryNotFoundError, lambda: list(api.list_repo_tree(repo, "nope")))


@stop
def list_a_tree_of_several_pages() -> None:
    repo = new_repo()
    names = sorted(f"f{number:04d}.txt" for number in range(1203))
    api.create_commit(
        repo, [CommitOperationAdd(name, name.encode()) for name in names], commit_message="Many"
    )
    assert [entry.path for entry in api.list_repo_tree(repo)][1:] == names
    taken = Path(snapshot_download(repo, cache_dir=fresh(), allow_patterns=["f119*"]))
    assert sorted(path.name for path in taken.iterdir()) == names[1190:1200]


@stop
def branches_and_tags() -> None:
    repo = new_repo()
    first = api.upload_file(path_or_fileobj=b"one", path_in_repo="x.txt", repo_id=repo).oid
    api.create_branch(repo, branch="dev/two")
    api.upload_file(path_or_fileobj=b"two", path_in_repo="x.txt", repo_id=repo, revision="dev/two")
    api.create_tag(repo, tag="v1.0", revision="main", tag_message="release")
    refs = api.list_repo_refs(repo)
    assert {ref.name for ref in refs.branches} == {"main", "dev/two"}
    assert {ref.name: ref.target_commit for ref in refs.tags}.get("v1.0") is not None
    for revision, content in (("main", b"one"), ("dev/two", b"two"), ("v1.0", b"one"), (first, b"one")):
        path = hf_hub_download(repo, "x.txt", revision=revision, cache_dir=fresh())
        assert Path(path).read_bytes() == content, revision
    assert api.model_info(repo, revision=first[:8]).sha == first
    assert api.revision_exists(repo, "dev/two")
    assert not api.revision_exists(repo, "nope")
    refused_with(409, lambda: api.create_branch(repo, branch="dev/two"))
    refused_with(409, lambda: api.create_tag(repo, tag="v1.0"))
    api.create_tag(repo, tag="v1.0", exist_ok=True)
    api.delete_tag(repo, tag="v1.0")
    api.delete_branch(repo, branch="dev/two")
    refused(RevisionNotFoundError, lambda: api.model_info(repo, revision="dev/two"))


@stop
def squash_history() -> None:
    repo = new_repo()
    for number in range(3):
        api.upload_file(path_or_fileobj=str(number).encode(), path_in_repo="x.txt", repo_id=repo)
    assert len(api.list_repo_commits(repo)) == 4
    api.super_squash_history(repo, commit_message="All in one")
    commits = api.list_repo_commits(repo)
    assert [commit.title for commit in commits] == ["All in one"]
    assert Path(hf_hub_download(repo, "x.txt", cache_dir=fresh())).read_bytes() == b"2"


@stop
def move_and_delete_a_repository() -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="model.bin", repo_id=repo)
    new = f"{ORG}/moved-{secrets.token_hex(4)}"
    api.move_repo(repo, new)
    assert api.model_info(repo).id == new
    # The old name goes on working, also for uploads and downloads.
    assert Path(hf_hub_download(repo, "model.bin", cache_dir=fresh())).read_bytes() == LARGE
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=repo)
    assert api.file_exists(new, "x.txt")
    other = new_repo()
    assert f"A model repository called {new} already exists" in refused_with(
        409, lambda: api.move_repo(other, new)
    )
    refused_with(403, lambda: stranger.delete_repo(new))
    api.delete_repo(new)
    assert not api.repo_exists(new)
    refused(RepositoryNotFoundError, lambda: api.delete_repo(new))
    api.delete_repo(new, missing_ok=True)


@stop
def a_private_repository_does_not_exist_for_strangers() -> None:
    repo = new_repo(private=True)
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="model.bin", repo_id=repo)
    assert Path(hf_hub_download(repo, "model.bin", cache_dir=fresh())).read_bytes() == LARGE
    for other, token in ((stranger, os.environ["TOUR_STRANGER"]), (nobody, False)):
        refused(RepositoryNotFoundError, lambda other=other: other.model_info(repo))
        refused(RepositoryNotFoundError, lambda other=other: list(other.list_repo_tree(repo)))
        refused(RepositoryNotFoundError, lambda other=other: other.list_repo_refs(repo))
        refused(
            RepositoryNotFoundError,
            lambda token=token: hf_hub_download(repo, "model.bin", token=token, cache_dir=fresh()),
        )
        assert repo not in [model.id for model in other.list_models(author=ME)]
        assert not other.repo_exists(repo)
    refused(
        RepositoryNotFoundError,
        lambda: stranger.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo),
    )
    assert repo in [model.id for model in api.list_models(author=ME)]
    api.update_repo_settings(repo, private=False)
    assert stranger.model_info(repo).private is False
    assert nobody.file_exists(repo, "model.bin")


@stop
def strangers_and_readers_may_not_write() -> None:
    repo = new_repo()
    reader = HfApi(token=os.environ["TOUR_READER"])
    for other in (stranger, reader):
        refused_with(
            403,
            lambda other=other: other.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo),
        )
        refused_with(
            403,
            lambda other=other: other.upload_file(path_or_fileobj=LARGE, path_in_repo="x.bin", repo_id=repo),
        )
        refused_with(403, lambda other=other: other.update_repo_settings(repo, private=True))
    refused_with(403, lambda: reader.create_repo(f"{ME}/tour-no"))
    refused_with(401, lambda: HfApi(token="hf_wrong").whoami())
    refused_with(401, lambda: HfApi(token="hf_wrong").model_info(repo))
    assert api.list_repo_files(repo) == [".gitattributes"]


@stop
def missing_things_have_their_own_errors() -> None:
    repo = new_repo()
    cache = fresh()
    refused(RepositoryNotFoundError, lambda: api.model_info(f"{ME}/nope"))
    refused(RepositoryNotFoundError, lambda: api.model_info("nope"))
    refused(RevisionNotFoundError, lambda: api.model_info(repo, revision="nope"))
    refused(RevisionNotFoundError, lambda: hf_hub_download(repo, "x", revision="nope", cache_dir=cache))
    refused(EntryNotFoundError, lambda: hf_hub_download(repo, "nope.txt", cache_dir=cache))
    refused(RepositoryNotFoundError, lambda: hf_hub_download(f"{ME}/nope", "x", cache_dir=cache))
    # That it does not exist is remembered for this commit.
    assert list(Path(cache).rglob(".no_exist/*/nope.txt"))
    refused(
        LocalEntryNotFoundError,
        lambda: hf_hub_download(repo, "never.txt", cache_dir=cache, local_files_only=True),
    )
    assert not api.repo_exists(f"{ME}/nope")
    assert not api.file_exists(repo, "nope.txt")
    assert api.file_exists(repo, ".gitattributes")


@stop
def info_tells_sizes_ids_and_card() -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="w.bin", repo_id=repo)
    card = b"---\nlicense: mit\nlanguage: no\ntags: [brain]\npipeline_tag: image-segmentation\n---\n# x\n"
    api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=repo)
    info = api.model_info(repo, files_metadata=True)
    files = {file.rfilename: file for file in known(info.siblings)}
    assert known(files["w.bin"].lfs).sha256 == hashlib.sha256(LARGE).hexdigest()
    assert files["w.bin"].size == len(LARGE)
    blob = hashlib.sha1(b"blob %d\0" % len(card) + card, usedforsecurity=False).hexdigest()
    assert files["README.md"].blob_id == blob
    assert known(info.card_data).license == "mit"
    assert known(info.card_data).language == "no"
    assert {"brain", "license:mit", "no"} <= set(known(info.tags))
    assert info.pipeline_tag == "image-segmentation"
    assert known(info.created_at) <= known(info.last_modified)
    expanded = api.model_info(repo, expand=["downloads", "likes"])
    assert expanded.downloads == 0
    assert expanded.siblings is None


@stop
def lists_filter_sort_and_page() -> None:
    mark = f"tour{secrets.token_hex(4)}"
    names = [api.create_repo(f"{ME}/{mark}-{number}").repo_id for number in range(5)]
    for name in names[:3]:
        card = f"---\ntags: [{mark}]\nlibrary_name: monai\n---\n".encode()
        api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=name)
    assert {model.id for model in api.list_models(search=mark)} == set(names)
    assert {model.id for model in api.list_models(filter=[mark, "monai"])} == set(names[:3])
    assert [model.id for model in api.list_models(filter=mark, author=ME, limit=2)] == names[2:0:-1]
    by_age = [model.id for model in api.list_models(search=mark, sort="created_at")]
    assert by_age == names[::-1]
    full = next(iter(api.list_models(search=mark, full=True, limit=1)))
    assert full.sha is not None
    assert full.siblings is not None
    assert not list(api.list_datasets(search=mark))


@stop
def a_file_system_over_the_hub() -> None:
    repo = new_repo()
    disk: Any = HfFileSystem()
    with disk.open(f"{repo}/notes/a.txt", "w") as file:
        file.write("hello")
    with disk.open(f"{repo}/w.bin", "wb") as file:
        file.write(LARGE)
    assert disk.read_text(f"{repo}/notes/a.txt") == "hello"
    with disk.open(f"{repo}/w.bin", "rb", block_size=1 << 16) as file:
        file.seek(2 << 20)
        assert file.read(1000) == LARGE[2 << 20 : (2 << 20) + 1000]
    names = sorted(Path(path).name for path in disk.ls(repo, detail=False))
    assert names == [".gitattributes", "notes", "w.bin"]
    assert disk.glob(f"{repo}/**/*.txt") == [f"{repo}/notes/a.txt"]
    assert disk.exists(f"{repo}/w.bin")
    assert disk.info(f"{repo}/w.bin")["size"] == len(LARGE)
    disk.rm(f"{repo}/notes/a.txt")
    assert not disk.exists(f"{repo}/notes/a.txt")


@stop
def a_model_card_is_pushed_and_loaded() -> None:
    repo = new_repo()
    card = ModelCard(f"---\nlicense: apache-2.0\nlanguage: en\n---\n# {repo}\n")
    card.push_to_hub(repo)
    assert ModelCard.load(repo).data.to_dict()["license"] == "apache-2.0"
    assert known(api.model_info(repo).card_data).license == "apache-2.0"
    refused(
        ValueError,
        lambda: api.upload_file(
            path_or_fileobj=b"---\nlicense: [mit\n---\n", path_in_repo="README.md", repo_id=repo
        ),
    )


def main() -> None:
    report: dict[str, str] = {"version": huggingface_hub.__version__}
    chosen = sys.argv[2:] or list(stops)
    for name in chosen:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                stops[name]()
            report[name] = "ok"
        except Exception:  # noqa: BLE001 - every stop is reported
            report[name] = traceback.format_exc()
    Path(sys.argv[1]).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
