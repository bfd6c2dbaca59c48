"""Large files through the stock clients: huggingface_hub with hf_xet, and without it."""

import re
import secrets
import socket
import textwrap
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from client import WEIGHTS, Client
from hub_process import HubServer, free_port, start_hub

pytestmark = pytest.mark.timeout(180)

UPLOAD = (
    WEIGHTS
    + """
def send(repo, content, **more):
    api.create_repo(repo, exist_ok=True)
    return api.upload_file(repo_id=repo, path_or_fileobj=content, path_in_repo="model.safetensors", **more)

def digest(content):
    return hashlib.sha256(content).hexdigest()

def fetch(repo, **more):
    with open(hf_hub_download(repo, "model.safetensors", force_download=True, **more), "rb") as file:
        return digest(file.read())
"""
)
# 16 MB, of which the last 5 % change.
VERSIONS = """
first = weights(SEED)
second = first[:15_200_000] + weights(SEED + 1, 200_000)
"""


class Person:
    """A user of the hub with a machine; weights and names of repositories are this test's own."""

    def __init__(self, hub: HubServer, account: tuple[str, str], home: Path) -> None:
        self.hub = hub
        self.name, self.token = account
        self.repos = f"{self.name}/{secrets.token_hex(3)}-"
        self.seed = secrets.randbits(32)
        self.machine = Client(hub.endpoint, self.token, home)

    def new_machine(self, home: Path) -> None:
        self.machine = Client(self.hub.endpoint, self.token, home)

    def run(self, script: str, **environment: str) -> str:
        return self.machine.run(self.written(script), **environment)

    def written(self, script: str) -> str:
        whole = UPLOAD + VERSIONS + textwrap.dedent(script)
        return whole.replace("NAME/", self.repos).replace("SEED", str(self.seed))


@pytest.fixture(scope="module")
def account(hub_server: HubServer) -> tuple[str, str]:
    return hub_server.new_user()


@pytest.fixture
def person(hub_server: HubServer, account: tuple[str, str], tmp_path: Path) -> Person:
    return Person(hub_server, account, tmp_path / "machine")


def received(hub: HubServer) -> int:
    """How many bytes of bodies the hub was sent so far."""
    with urllib.request.urlopen(f"{hub.endpoint}/api/metrics") as reply:
        found = re.search(r'voxhub_body_bytes_total\{direction="in"\} (\S+)', reply.read().decode())
    return int(float(found[1])) if found else 0


def test_a_second_version_sends_what_has_changed_and_both_are_read_back(
    hub_server: HubServer, person: Person, tmp_path: Path
) -> None:
    start = received(hub_server)
    old = person.run("print(send('NAME/unet', first).oid, digest(first))").split()
    middle = received(hub_server)
    new = person.run("print(send('NAME/unet', second).oid, digest(second))").split()
    end = received(hub_server)

    person.new_machine(tmp_path / "another")
    for environment in ({}, {"HF_HUB_DISABLE_XET": "1"}):
        read = person.run(
            f"print(fetch('NAME/unet'), fetch('NAME/unet', revision='{old[0]}'))", **environment
        )
        assert read.split() == [new[1], old[1]]
    assert middle - start > 0.8 * 16_000_000
    assert end - middle <= 0.06 * 16_000_000


def test_ranges_of_a_xet_file_are_read_by_plain_http(person: Person) -> None:
    person.run("send('NAME/unet', second)")
    script = """
    import urllib.request
    address = api.endpoint + "/NAME/unet/resolve/main/model.safetensors"
    for start, end in [(0, 1), (15_199_000, 15_201_000), (1_000_000, 9_000_000), (15_999_999, 16_000_000)]:
        request = urllib.request.Request(address, headers={"Range": f"bytes={start}-{end - 1}"})
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 206 and reply.read() == second[start:end], (start, end)
    print("equal")
    """

    assert person.run(script) == "equal"


def test_another_machine_finds_the_chunks_of_a_file_saved_anew(
    hub_server: HubServer, person: Person, tmp_path: Path
) -> None:
    person.run("send('NAME/unet', first)")
    person.new_machine(tmp_path / "another")
    before = received(hub_server)

    script = """
    changed = b"another header" + first
    send("NAME/unet", changed)
    print(fetch("NAME/unet") == digest(changed))
    """
    read = person.run(script)

    assert read == "True"
    assert received(hub_server) - before <= 0.06 * 16_000_000


def test_one_namespace_learns_nothing_of_anothers_chunks(
    hub_server: HubServer, person: Person, tmp_path: Path
) -> None:
    person.run("send('NAME/secret', first)")
    stranger = Person(hub_server, hub_server.new_user(), tmp_path / "stranger")
    stranger.seed = person.seed
    before = received(hub_server)

    stranger.run("send('NAME/mine', first)")

    assert received(hub_server) - before > 0.8 * 16_000_000


def test_one_machine_sends_the_same_file_to_two_namespaces(hub_server: HubServer, person: Person) -> None:
    org = hub_server.new_org(f"{person.name}:write")

    read = person.run(
        f"send('NAME/unet', first)\nsend('{org}/unet', second)\nprint(fetch('{org}/unet') == digest(second))"
    )

    assert read == "True"


def test_without_xet_files_are_sent_whole(person: Person, tmp_path: Path) -> None:
    written = person.run(
        "send('NAME/unet', first)\nsend('NAME/unet', second)\nprint(digest(second))", HF_HUB_DISABLE_XET="1"
    )
    person.new_machine(tmp_path / "another")

    assert person.run("print(fetch('NAME/unet'))") == written


def test_file_objects_are_sent_by_git_lfs(person: Person) -> None:
    read = person.run("send('NAME/unet', io.BytesIO(first))\nprint(fetch('NAME/unet') == digest(first))")

    assert read == "True"


def test_a_folder_of_files_goes_up_and_comes_down(person: Person, tmp_path: Path) -> None:
    script = """
    import pathlib
    folder = pathlib.Path("FOLDER")
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.safetensors").write_bytes(weights(number, 50_000))
    (folder / "README.md").write_text("# Card")
    api.create_repo("NAME/many")
    api.upload_folder(repo_id="NAME/many", folder_path=folder)
    there = pathlib.Path(snapshot_download("NAME/many"))
    print(all((there / each.name).read_bytes() == each.read_bytes() for each in folder.iterdir()))
    """

    assert person.run(script.replace("FOLDER", str(tmp_path / "folder"))) == "True"


def test_many_clients_may_send_the_same_file_at_once(person: Person, tmp_path: Path) -> None:
    person.run("api.create_repo('NAME/unet')")
    script = "api.upload_file(repo_id='NAME/unet', path_or_fileobj=first, path_in_repo='NUMBER.safetensors')"
    machines = [Client(person.hub.endpoint, person.token, tmp_path / f"machine-{n}") for n in range(3)]

    started = [
        machine.start(person.written(script.replace("NUMBER", str(n))), HF_HUB_DISABLE_XET=str(int(n == 2)))
        for n, machine in enumerate(machines)
    ]
    outcomes = [(process.communicate(timeout=120)[1], process.returncode) for process in started]

    # A commit that lost the race for the branch says so; no upload may fail.
    assert all(code == 0 or "412" in complaint for complaint, code in outcomes), outcomes
    files = person.run("print(sorted(api.list_repo_files('NAME/unet')))")
    assert files.count("safetensors") == sum(code == 0 for _, code in outcomes) >= 1


def test_a_new_hub_at_an_old_address_takes_what_the_old_one_had(tmp_path: Path) -> None:
    port = free_port()
    homes = tmp_path / "machine"
    for data in ("old", "new"):
        hub = start_hub(tmp_path / data, port=port)
        try:
            client = Client(hub.endpoint, hub.admin_token, homes)
            read = client.run(
                UPLOAD + "send('admin/unet', weights(1))\nprint(fetch('admin/unet') == digest(weights(1)))"
            )
        finally:
            hub.process.terminate()
            hub.process.wait(timeout=20)

        assert read == "True"


def test_a_client_that_goes_away_leaves_nothing_in_staging(hub_server: HubServer, person: Person) -> None:
    script = """
    from huggingface_hub import get_session
    api.create_repo("NAME/unet")
    body = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 50_000_000}]}
    headers = {"authorization": f"Bearer {get_token()}"}
    address = api.endpoint + "/NAME/unet.git/info/lfs/objects/batch"
    reply = get_session().post(address, json=body, headers=headers)
    print(reply.json()["objects"][0]["actions"]["upload"]["href"])
    """
    href = person.run(script)
    staging = hub_server.data_dir / "staging"
    host, port = hub_server.endpoint.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port))) as connection:
        path = href.removeprefix(hub_server.endpoint)
        connection.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50000000\r\n\r\n".encode()
        )
        connection.sendall(secrets.token_bytes(10_000_000))
        arrived = _soon(lambda: any(body.stat().st_size > 5_000_000 for body in staging.iterdir()))

    assert arrived
    assert _soon(lambda: not list(staging.iterdir()))


def _soon(condition: Callable[[], bool]) -> bool:
    """Say whether something becomes true within ten seconds."""
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False
