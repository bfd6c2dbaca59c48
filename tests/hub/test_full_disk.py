"""A disk that fills up in the middle of an upload: 507, nothing kept, and smaller files still go in."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_in_process import Hub
from uploading import staged, state, upload, upload_action, xet_store
from xet_builder import build_upload, build_xorb, split

from hub.settings import Settings

MIB = 1024 * 1024
CONTENT = random.Random(6).randbytes(20 * MIB)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount the small disk that this test fills")
    yield folder
    # The hub's connections end with its fixture; what holds the disk a moment longer lets it go by itself.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def settings(disk: Path) -> Settings:
    return Settings(data_dir=disk, multipart_size=19 * MIB, part_size=10 * MIB)


def test_a_whole_object(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    href = upload_action(hub, repo, CONTENT)["href"]
    before = state(hub)

    reply = hub.request("PUT", href, user=None, content=CONTENT)

    assert (reply.status_code, reply.headers["x-error-code"], state(hub)) == (507, "StorageFull", before)
    upload(hub, repo, CONTENT[:MIB])


def test_an_object_in_parts(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    action = upload_action(hub, repo, CONTENT, transfers=["multipart"])

    statuses = [
        hub.request("PUT", action["header"][number], user=None, content=content).status_code
        for number, content in (("1", CONTENT[: 10 * MIB]), ("2", CONTENT[10 * MIB :]))
    ]

    assert statuses == [200, 507]
    assert [name[:6] for name in staged(hub)] == ["parts-"]
    # What the parts left is given up after a day.
    hub.stores.staging.sweep(-1)
    upload(hub, repo, CONTENT[:MIB])


def test_a_xorb(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    store = xet_store(hub, repo)
    xorb = build_xorb(split(CONTENT))
    before = state(hub)

    reply = store.put_xorb(xorb.name, xorb.data)

    assert (reply.status_code, reply.headers["x-error-code"], state(hub)) == (507, "StorageFull", before)
    store.put(build_upload(CONTENT[:MIB]))
