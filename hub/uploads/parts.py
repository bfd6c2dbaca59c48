"""An upload in parts: one file in staging that every part writes to at its own place.

Joining part files would write every byte twice. Instead the file is hashed where it lies once all parts
have come, and then adopted. Parts hold a shared lock on it while they write and the completion an exclusive
one, so that no late part can change bytes that were hashed already.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from hub.blobs import Staging, full_disk_is_507
from hub.errors import Conflict, Invalid, NotFound
from hub.uploads.access import LfsUpload
from hub.uploads.schemas import Completion


def new_upload() -> str:
    """Draw the name of an upload in parts."""
    return secrets.token_hex(16)


def count_parts(claims: LfsUpload) -> int:
    """How many parts an upload has."""
    return -(-claims.size // claims.part_size)


def part_span(claims: LfsUpload, number: int) -> tuple[int, int]:
    """The place of a part in the file, as (offset, size); raise NotFound for a part that there is not."""
    if not claims.upload or not 1 <= number <= count_parts(claims):
        raise NotFound(f"The upload of `{claims.oid}` has no part `{number}`.")
    offset = (number - 1) * claims.part_size
    return offset, min(claims.part_size, claims.size - offset)


@contextmanager
def writing(staging: Staging, claims: LfsUpload, offset: int) -> Generator[Callable[[bytes], None]]:
    """Yield what writes a part's bytes, one batch behind the other; raise Conflict once it is completed."""
    with full_disk_is_507(), _locked(_path(staging, claims), fcntl.LOCK_SH, os.O_CREAT) as descriptor:
        at = offset

        def write(batch: bytes) -> None:
            nonlocal at
            view = memoryview(batch)
            while view:
                written = os.pwrite(descriptor, view, at)
                at += written
                view = view[written:]

        yield write


@contextmanager
def completed(staging: Staging, claims: LfsUpload, request: Completion) -> Generator[tuple[Path, bytes]]:
    """Yield the file of an upload and its SHA-256 while no part can change it; remove it afterwards.

    Raise Invalid when parts are missing, Conflict while one is still coming.
    """
    numbers = [part.part_number for part in request.parts]
    if request.oid != claims.oid or numbers != list(range(1, count_parts(claims) + 1)):
        raise Invalid(
            f"The upload of `{claims.oid}` has {count_parts(claims)} parts: name each of them, in order."
        )
    path = _path(staging, claims)
    with _locked(path, fcntl.LOCK_EX, 0) as descriptor:
        try:
            size = os.fstat(descriptor).st_size
            if size != claims.size:
                raise Invalid(
                    f"`{claims.oid}` was announced with {claims.size} bytes, {size} came. Upload it again."
                )
            with path.open("rb", buffering=0) as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            yield path, digest
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, lock: int, flags: int) -> Generator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    except FileNotFoundError:
        raise NotFound("This upload was completed, or given up long ago. Ask for a new one.") from None
    try:
        if not _lock(descriptor, lock, path):
            raise Conflict("Another request holds this upload. Try again when it has ended.")
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, lock: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
        # Between opening and locking, a completion may have taken the file away.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _path(staging: Staging, claims: LfsUpload) -> Path:
    return staging.root / f"parts-{claims.upload}"
