"""Shards: files that a client describes as chunks of xorbs, proved before anything is written down."""

import mmap
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from hub import contents
from hub.call import Stores
from hub.contents import XorbRecords
from hub.db import insert_new, now
from hub.errors import BadRequest
from hub.repos.service import RepoRecord
from hub.tables import XetFile
from hub.uploads import chunks, xorbs
from hub.xet import plans
from hub.xet.errors import FormatError
from hub.xet.shards import FileInfo, Shard
from hub.xet.verification import VerifiedFile, check_file, verify_file

Progress = Callable[[int, int], None]


class ProvedFile(msgspec.Struct, frozen=True):
    """A file that is what its shard says; `hints` are chunks that clients will ask for, with their xorbs."""

    file: VerifiedFile
    terms: bytes
    hints: dict[bytes, bytes]


def read(staged: Path) -> Shard:
    """Return a staged shard whose structure holds; it needs its file's name no longer.

    Raise BadRequest when it is none.
    """
    try:
        with staged.open("rb") as file:
            # Mapped, not read: the kernel may drop what is not looked at. It ends with the shard's views.
            return Shard(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except (FormatError, ValueError) as error:
        raise BadRequest(f"The shard is refused and nothing was registered: {error}.") from None


def prove(stores: Stores, namespace_id: int, shard: Shard, progress: Progress) -> list[ProvedFile]:
    """Verify the files of a shard against the xorbs that a namespace owns; write nothing.

    `progress(done, total)` counts bytes. Raise BadRequest when anything is wrong.
    """
    try:
        return list(_prove(stores, namespace_id, shard, progress))
    except FormatError as error:
        raise BadRequest(f"The shard is refused and nothing was registered: {error}.") from None


def _prove(stores: Stores, namespace_id: int, shard: Shard, progress: Progress) -> Iterator[ProvedFile]:
    total = sum(plans.file_size(plans.unpack_terms(file.terms)) for file in shard.files())
    limit = stores.settings.max_file_size
    # A copy of a file costs its client a few bytes and the hub its whole length.
    if total > limit:
        raise FormatError(f"its files have {total} bytes in sum, allowed are {limit}; send it in several")
    done = 0
    for file in shard.files():
        before = done
        proved = _prove_file(
            stores, namespace_id, file, lambda more, _, at=before: progress(at + more, total)
        )
        done += proved.file.size
        progress(done, total)
        yield proved


def _prove_file(stores: Stores, namespace_id: int, file: FileInfo, progress: Progress) -> ProvedFile:
    terms = plans.unpack_terms(file.terms)
    with stores.database.reading() as db:
        records = XorbRecords(xorbs.owned(db, namespace_id, plans.xorbs_of(terms)))
        known = db.execute(
            select(XetFile.sha256).where(XetFile.hash == file.hash, XetFile.owner_id == namespace_id)
        ).scalar_one_or_none()
    limit = stores.settings.max_file_size
    if known is not None and file.sha256 in (None, known.hex()):
        # Sent again, after an answer that was lost or for another repository: not decoded again. Only what
        # this namespace sent: how long it takes must not show what others have.
        verified = VerifiedFile(file.hash, check_file(file, records, max_size=limit), known.hex())
    else:
        verified = verify_file(file, records, contents.xorb_reader(stores.blobs), progress, max_size=limit)
    return ProvedFile(verified, file.terms, chunks.hints(terms, records))


def register(db: Connection, repo: RepoRecord, proved: list[ProvedFile]) -> bool:
    """Write down proved files and let the repository point to them; say whether one of them is new to it."""
    new = False
    for each in proved:
        sha256 = bytes.fromhex(each.file.sha256)
        insert_new(
            db,
            XetFile,
            hash=each.file.hash,
            owner_id=repo.owner_id,
            size=each.file.size,
            sha256=sha256,
            terms=each.terms,
            created_at=now(),
        )
        file = db.execute(
            select(XetFile.id).where(XetFile.hash == each.file.hash, XetFile.owner_id == repo.owner_id)
        ).scalar_one()
        contents.record_xet(db, sha256, each.file.size, file)
        new |= contents.allow(db, repo.id, sha256, file)
        chunks.remember(db, repo.owner_id, each.hints)
    return new
