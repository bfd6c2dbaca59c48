"""Commits over a real socket: bodies that break off, and the stock client's largest ones."""

import secrets
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
from hub_in_process import file, ndjson
from hub_process import HubServer
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi

HEADER = ("header", {"summary": "Change"})


@pytest.fixture
def repo(hub_server: HubServer) -> str:
    name = f"admin/commits-{secrets.token_hex(4)}"
    HfApi(endpoint=hub_server.endpoint, token=hub_server.admin_token).create_repo(name)
    return name


def send(server: HubServer, repo: str, framing: str, *pieces: bytes, breaking_off: bool = True) -> bytes:
    """Send a commit, by default in a connection that ends with it; return what the hub answered."""
    address = urlsplit(server.endpoint)
    assert address.hostname is not None
    head = (
        f"POST /api/models/{repo}/commit/main HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {server.admin_token}\r\nConnection: close\r\n{framing}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as connection:
        connection.sendall(head.encode())
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        if breaking_off:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return answer


def state(server: HubServer, repo: str) -> tuple[list[str], list[str]]:
    """The history, and what lies in the staging folder."""
    api = HfApi(endpoint=server.endpoint, token=server.admin_token)
    ids = [commit.commit_id for commit in api.list_repo_commits(repo)]
    staged = [""]
    for _ in range(100):
        staged = [path.name for path in (server.data_dir / "staging").rglob("*") if path.is_file()]
        if not staged:
            break
        time.sleep(0.05)
    return ids, staged


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_a_body_that_breaks_off_changes_nothing(hub_server: HubServer, repo: str) -> None:
    before = state(hub_server, repo)
    body = ndjson(HEADER, file("a", b"1" * 3_000_000), file("b", b"2"))
    lines = body.index(b"\n", len(ndjson(HEADER))) + 1
    for end in (0, 10, len(ndjson(HEADER)), 2_500_000, lines, len(body) - 1):
        # Cut at the end of a line the rest would be a whole commit: the length says that it is not.
        answer = send(hub_server, repo, f"Content-Length: {len(body)}", body[:end])
        assert not answer.startswith(b"HTTP/1.1 200"), (end, answer)
        answer = send(hub_server, repo, "Transfer-Encoding: chunked", chunk(body[:end]) if end else b"")
        assert not answer.startswith(b"HTTP/1.1 200"), (end, answer)
    assert state(hub_server, repo) == before
    assert before[1] == []
    whole = send(
        hub_server, repo, "Transfer-Encoding: chunked", chunk(body), b"0\r\n\r\n", breaking_off=False
    )
    assert whole.startswith(b"HTTP/1.1 200")


def test_a_stranger_is_refused_before_the_body_was_read(hub_server: HubServer, repo: str) -> None:
    body = ndjson(HEADER, file("a", bytes(30_000_000)))
    reply = httpx.post(
        f"{hub_server.endpoint}/api/models/{repo}/commit/main",
        content=body,
        headers={"authorization": "Bearer hf_wrong"},
        timeout=60,
    )
    assert reply.status_code == 401
    assert state(hub_server, repo)[1] == []


@pytest.mark.slow
def test_the_client_sends_twelve_files_of_nine_megabytes_in_one_commit(
    hub_server: HubServer, repo: str
) -> None:
    api = HfApi(endpoint=hub_server.endpoint, token=hub_server.admin_token)
    files = {f"{number}.text": secrets.token_bytes(9 * 1024 * 1024) for number in range(12)}
    done = api.create_commit(
        repo,
        [CommitOperationAdd(path, data) for path, data in files.items()],
        commit_message="Twelve",
    )
    tree = {entry.path: entry for entry in api.list_repo_tree(repo, revision=done.oid)}
    assert {path for path, entry in tree.items() if entry.path != ".gitattributes"} == set(files)
    got = api.hf_hub_download(repo, "7.text", revision=done.oid)
    with open(got, "rb") as opened:  # noqa: PTH123 - the client gives a string
        assert opened.read() == files["7.text"]


def test_the_stock_client_commits_copies_deletes_and_squashes(hub_server: HubServer, repo: str) -> None:
    api = HfApi(endpoint=hub_server.endpoint, token=hub_server.admin_token)
    first = api.create_commit(
        repo,
        [CommitOperationAdd("a/b.txt", b"1"), CommitOperationAdd("ü ö.txt", b"2")],
        commit_message="First",
        commit_description="And why",
    )
    api.create_branch(repo, branch="dev/x", revision=first.oid)
    api.create_branch(repo, branch="dev/x", exist_ok=True)
    api.create_tag(repo, tag="v1", tag_message="One")
    second = api.create_commit(
        repo,
        [CommitOperationCopy("a/b.txt", "c/d.txt"), CommitOperationDelete("a/", is_folder=True)],
        commit_message="Second",
        parent_commit=first.oid,
    )
    assert set(api.list_repo_files(repo)) == {".gitattributes", "c/d.txt", "ü ö.txt"}
    titles = [(commit.title, commit.message) for commit in api.list_repo_commits(repo, formatted=True)]
    assert titles == [("Second", ""), ("First", "And why"), ("initial commit", "")]
    same = api.upload_file(repo_id=repo, path_in_repo="ü ö.txt", path_or_fileobj=b"2")
    assert same.oid == second.oid
    refs = api.list_repo_refs(repo, include_pull_requests=True)
    assert {branch.name: branch.target_commit for branch in refs.branches} == {
        "main": second.oid, "dev/x": first.oid
    }  # fmt: skip
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", first.oid)]
    api.super_squash_history(repo)
    assert len(api.list_repo_commits(repo)) == 1
    api.delete_tag(repo, tag="v1")
    api.delete_branch(repo, branch="dev/x")
    assert len(api.list_repo_refs(repo).branches) == 1
