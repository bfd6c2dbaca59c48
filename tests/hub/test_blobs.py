"""The contract that every store keeps, and the staging folder before it."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.blobs import PIECE, Blobs, LocalBlobs, Staging, content_key, xorb_key
from hub.errors import Unavailable

CONTENT = bytes(range(256)) * 10_000
KEY = content_key(bytes(32))


class BlobsContract:
    """Inherit this and give `blobs`: what holds for one store holds for all."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        raise NotImplementedError

    @pytest.fixture
    def staging(self, tmp_path: Path) -> Staging:
        (tmp_path / "staging").mkdir()
        return Staging(tmp_path / "staging")

    def put(self, blobs: Blobs, staging: Staging, content: bytes, key: str = KEY) -> None:
        with staging.file() as (path, file):
            file.write(content)
            blobs.adopt(path, key)

    def test_what_was_adopted_is_read_back(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, CONTENT)

        assert blobs.size(KEY) == len(CONTENT)
        assert blobs.read(KEY, 0, len(CONTENT)) == CONTENT
        assert blobs.read(KEY, 1000, 1003) == CONTENT[1000:1003]
        assert blobs.read(KEY, 7, 7) == b""

    def test_adopting_takes_the_file_out_of_staging(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, CONTENT)
        self.put(blobs, staging, CONTENT)

        assert list(staging.root.iterdir()) == []

    def test_pieces_are_bounded_and_in_order(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, CONTENT)

        pieces = list(blobs.stream(KEY, 5, len(CONTENT)))

        assert max(len(piece) for piece in pieces) <= PIECE
        assert b"".join(pieces) == CONTENT[5:]

    def test_a_key_that_is_taken_keeps_its_bytes(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, CONTENT)
        self.put(blobs, staging, b"other")

        assert blobs.read(KEY, 0, len(CONTENT)) == CONTENT

    def test_an_empty_blob_is_a_blob(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, b"")

        assert (blobs.size(KEY), blobs.read(KEY, 0, 0)) == (0, b"")

    def test_xorbs_and_contents_do_not_meet(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, b"content", content_key(bytes(32)))
        self.put(blobs, staging, b"xorb", xorb_key("0" * 64))

        assert blobs.read(content_key(bytes(32)), 0, 7) == b"content"
        assert blobs.read(xorb_key("0" * 64), 0, 4) == b"xorb"

    def test_what_is_missing_is_an_outage_not_an_absence(self, blobs: Blobs) -> None:
        assert blobs.size(KEY) is None
        with pytest.raises(Unavailable, match=KEY):
            blobs.read(KEY, 0, 1)

    def test_reading_behind_the_end_is_an_outage(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, b"short")

        with pytest.raises(Unavailable, match="3 bytes early"):
            blobs.read(KEY, 0, 8)

    def test_deleting_twice_is_no_error(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, CONTENT)
        blobs.delete(KEY)
        blobs.delete(KEY)

        assert blobs.size(KEY) is None

    def test_a_path_holds_the_very_bytes(self, blobs: Blobs, staging: Staging) -> None:
        self.put(blobs, staging, CONTENT)

        path = blobs.path(KEY)

        assert path is None or path.read_bytes() == CONTENT

    @pytest.mark.parametrize(
        "key", ["", "../secret", "content/../../x", f"content/00/00/{'0' * 63}", "/etc/passwd"]
    )
    def test_only_keys_are_keys(self, blobs: Blobs, staging: Staging, key: str) -> None:
        with pytest.raises(ValueError, match="not a key"):
            blobs.size(key)
        with pytest.raises(ValueError, match="not a key"):
            self.put(blobs, staging, b"x", key)

    def test_many_may_adopt_the_same_key_at_once(self, blobs: Blobs, staging: Staging) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self.put(blobs, staging, CONTENT), range(32)))

        assert blobs.read(KEY, 0, len(CONTENT)) == CONTENT
        assert list(staging.root.iterdir()) == []


class TestLocalBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return LocalBlobs(tmp_path / "blobs")


def test_a_body_that_fails_leaves_nothing_in_staging(tmp_path: Path) -> None:
    staging = Staging(tmp_path)

    def fail() -> None:
        with staging.file() as (_, file):
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert list(tmp_path.iterdir()) == []


def test_the_sweep_removes_what_was_left_long_ago_and_nothing_else(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    old, new = tmp_path / "body-old", tmp_path / "parts-new"
    for path in (old, new):
        path.write_bytes(b"x")
    yesterday = time.time() - 100_000
    os.utime(old, (yesterday, yesterday))

    removed = staging.sweep(86_400)

    assert (removed, [path.name for path in tmp_path.iterdir()]) == (1, ["parts-new"])
