"""What operators and browsers rely on: health, metrics, logs without secrets, CORS, the description."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from describe_api import SNAPSHOT, description
from hub_in_process import Hub
from hub_process import ROOT, HubServer, start_hub
from huggingface_hub import HfApi

EXPOSED = {
    "accept-ranges", "content-disposition", "content-length", "content-range", "etag", "link", "x-error-code",
    "x-error-message", "x-linked-etag", "x-linked-size", "x-repo-commit", "x-request-id", "x-total-count",
    "x-xet-hash",
}  # fmt: skip


def names(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


def test_health_needs_no_token_and_leaves_nothing(hub: Hub) -> None:
    assert hub.get("/api/health", user=None).json() == {"status": "ok"}
    assert list(hub.stores.staging.root.iterdir()) == []


def test_health_says_when_the_store_is_gone(hub: Hub) -> None:
    shutil.rmtree(hub.stores.staging.root)
    answer = hub.get("/api/health", user=None)
    assert (answer.status_code, answer.headers["x-error-code"]) == (503, "Unavailable")


def test_health_says_when_the_disk_is_full(hub: Hub, tmp_path: Path) -> None:
    folder = hub.stores.staging.root
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        assert hub.get("/api/health", user=None).status_code == 507
    finally:
        subprocess.run(["umount", str(folder)], check=True, cwd=tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_count_every_request_of_every_worker(tmp_path: Path, workers: str) -> None:
    server = start_hub(tmp_path / "data", options=("--workers", workers))
    try:
        for _ in range(12):
            # A connection each, so that both workers get some.
            httpx.get(f"{server.endpoint}/api/users/nobody/overview")
        answer = httpx.get(f"{server.endpoint}/api/metrics")
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)
    assert answer.headers["content-type"].startswith("text/plain")
    counted = re.search(
        r'^voxhub_request_seconds_count\{method="GET",route="([^"]+)",status="404"\} (\S+)$',
        answer.text,
        re.MULTILINE,
    )
    assert counted, answer.text
    assert (counted[1], float(counted[2])) == ("/api/users/{user}/overview", 12)
    assert re.search(r"^voxhub_free_bytes(\{\})? [1-9]", answer.text, re.MULTILINE)


def test_a_path_that_nobody_declared_makes_no_label_of_its_own(hub: Hub) -> None:
    hub.get("/no/such/path/at/all", user=None)
    text = hub.get("/api/metrics", user=None).text
    assert "such" not in text
    assert 'route="none",status="404"' in text


def test_every_answer_names_its_request(hub: Hub) -> None:
    for path, status in (("/api/health", 200), ("/api/nothing", 404), ("/api/users/nobody/overview", 404)):
        answer = hub.get(path, user=None)
        assert answer.status_code == status
        assert re.fullmatch(r"[0-9a-f]{24}", answer.headers["x-request-id"])
    assert hub.get("/api/health", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    for bad in ("x" * 200, "a b", "a\tb"):
        assert hub.get("/api/health", headers={"x-request-id": bad}).headers["x-request-id"] != bad


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/whoami-v2", "/lab/none/resolve/main/a.txt", "/api/models/a/b"]
)
def test_errors_carry_what_scripts_in_browsers_may_read(hub: Hub, path: str) -> None:
    answer = hub.get(path, user=None, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code in (401, 404)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert names(answer.headers["access-control-expose-headers"]) >= EXPOSED
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/tokens"),
        ("POST", "/api/models/lab/none/commit/main"),
        ("POST", "/lab/none.git/info/lfs/objects/batch"),
        ("GET", "/lab/none/resolve/main/a.txt"),
        ("DELETE", "/api/repos/delete"),
        ("GET", "/no/such/thing"),
    ],
)
def test_a_browser_may_ask_first_without_a_token(hub: Hub, method: str, path: str) -> None:
    asked = "authorization,content-type,range,x-request-id,x-xet-session-id"
    headers = {
        "origin": "https://elsewhere.example",
        "access-control-request-method": method,
        "access-control-request-headers": asked,
    }
    answer = hub.request("OPTIONS", path, user=None, headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    # A star would not do: browsers do not count `Authorization` among its headers.
    assert names(answer.headers["access-control-allow-headers"]) >= names(asked)
    assert method in answer.headers["access-control-allow-methods"]


def test_the_description_is_the_snapshot() -> None:
    assert description() == SNAPSHOT.read_bytes(), (
        "the API has changed; look at the difference after: python tests/hub/describe_api.py"
    )


def test_the_description_is_served_with_documents_tags_and_failures(hub: Hub) -> None:
    schema = hub.get("/api/docs/openapi.json", user=None).json()
    assert "/api/whoami-v2" in schema["paths"]
    operations: list[tuple[str, dict[str, Any]]] = [
        (f"{method} {path}", operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
    ]
    for name, operation in operations:
        assert operation.get("description"), f"{name} has no docstring"
        assert operation.get("tags"), f"{name} has no tag"
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Failure"}
    assert schema["components"]["responses"]["Failure"]["headers"].keys() >= {"X-Error-Code"}


def test_the_description_loads_nothing_from_elsewhere(hub: Hub) -> None:
    for path in ("/api/docs", "/api/docs/openapi.json", "/api/docs/scalar", "/api/docs/swagger"):
        assert "<script" not in hub.get(path, user=None).text


def test_logs_are_one_json_object_a_line_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXHUB_LOG_FORMAT", "json")
    server = start_hub(tmp_path / "data")
    httpx.get(f"{server.endpoint}/api/nothing", headers={"x-request-id": "find-me"})
    server.process.terminate()
    server.process.wait(timeout=20)
    lines = [line for line in (tmp_path / "data.log").read_text().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    found = next(event for event in events if event.get("request_id") == "find-me")
    assert (found["event"], found["path"], found["status"]) == ("request", "/api/nothing", 404)
    assert any(event.get("logger") == "uvicorn.error" for event in events)


@pytest.mark.parametrize("format_", ["console", "json"])
def test_no_secret_is_ever_in_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str) -> None:
    monkeypatch.setenv("VOXHUB_LOG_FORMAT", format_)
    server = start_hub(tmp_path / "data")
    try:
        secrets = use_every_secret(server, tmp_path)
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)
    log = (tmp_path / "data.log").read_text()
    # The one token that the first start prints, on purpose, comes before the first log line.
    log = log[log.index("Started server process") :]
    assert log.count("/api/login") == 2
    for secret in secrets:
        assert secret not in log
    assert not re.search(r"hf_[A-Za-z0-9]{20}|eyJ[A-Za-z0-9_-]{10}", log)


def use_every_secret(server: HubServer, folder: Path) -> set[str]:
    """Send passwords, tokens and signed URLs through every door, right and wrong; return them."""
    name, token = server.new_user()
    password = "a password to look for"
    kept = folder / "password"
    kept.write_text(password)
    with kept.open() as file:
        command = [sys.executable, "-m", "registry_client.cli", "user", "password", name]
        subprocess.run([*command, "--data-dir", str(server.data_dir)], stdin=file, check=True, cwd=ROOT)
    wrong = "a wrong password to look for"
    with httpx.Client(base_url=server.endpoint, headers={"authorization": f"Bearer {token}"}) as client:
        session = client.post("/api/login", json={"name": name, "password": password}).json()["token"]
        client.post("/api/login", json={"name": name, "password": wrong})
        client.get("/api/whoami-v2", headers={"authorization": "Bearer hf_a_wrong_token_to_look_for"})
        made = client.post("/api/tokens", json={"name": "t", "role": "read"}).json()["value"]
        api = HfApi(endpoint=server.endpoint, token=token)
        api.create_repo(f"{name}/model")
        weights = bytes(range(256)) * 4096
        api.upload_file(path_or_fileobj=weights, path_in_repo="weights.bin", repo_id=f"{name}/model")
        batch = client.post(
            f"/{name}/model.git/info/lfs/objects/batch",
            json={"operation": "upload", "transfers": ["basic"], "objects": [{"oid": "1" * 64, "size": 5}]},
        ).json()
        href = batch["objects"][0]["actions"]["upload"]["href"]
        client.put(href, content=b"wrong", headers={"authorization": ""})
        xet = client.get(f"/api/models/{name}/model/xet-write-token/main").json()["accessToken"]
        client.get("/v1/reconstructions/" + "0" * 64, headers={"authorization": f"Bearer {xet}"})
    return {
        token,
        password,
        wrong,
        session,
        made,
        "hf_a_wrong_token_to_look_for",
        href.partition("?")[2] or href,
        xet,
    }


TROUBLE = """
import sys
from hub import logs
logs.configure(sys.argv[1])
import logging, structlog
def fail(secret):
    raise ValueError("a defect")
try:
    fail("hf_local_variable")
except ValueError as error:
    structlog.get_logger("hub.errors").error("unexpected error", exc_info=error)
    logging.getLogger("uvicorn.error").error("exception in application", exc_info=error)
"""


@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_traceback_shows_no_local_variable(format_: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TROUBLE, format_], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stderr.count("a defect") == 2
    assert done.stderr.count("Traceback") == 2
    # The source line that calls names the value; what must not show is the frame's variables.
    assert "hf_local_variable" not in done.stderr.replace('fail("hf_local_variable")', "")


def test_database_errors_hide_their_parameters(hub: Hub) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    with pytest.raises(DBAPIError) as failed, hub.stores.database.writing() as db:
        db.execute(text("INSERT INTO token (name) VALUES (:name)"), {"name": "hf_a_parameter"})
    assert "hf_a_parameter" not in str(failed.value)
