"""Xorbs that clients send: checked chunk by chunk, kept once, owned by each namespace that sent them."""

import os
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import Connection, select

from hub.blobs import xorb_key
from hub.call import Stores
from hub.db import insert_new, now
from hub.errors import BadRequest, NotFound
from hub.metrics import STORED_BYTES
from hub.tables import Xorb, XorbOwner
from hub.xet.errors import FormatError
from hub.xet.hashes import from_wire, to_wire
from hub.xet.xorbs import XorbRecord, inspect

_BATCH = 500


def read_hash(text: str, what: str) -> bytes:
    """Return the raw hash of a path segment; raise BadRequest for what is none."""
    try:
        return from_wire(text)
    except FormatError as error:
        raise BadRequest(f"This is not the hash of a {what}: {error}.") from None


def check(staged: Path, digest: bytes) -> XorbRecord:
    """Verify every chunk of a staged xorb and cut off its trailer; raise BadRequest if it is not `digest`."""
    try:
        record = inspect(staged)
    except FormatError as error:
        raise BadRequest(f"Xorb `{to_wire(digest)}` is refused: {error}.") from None
    if record.hash != digest:
        raise BadRequest(
            f"The chunks make xorb `{to_wire(record.hash)}`, the URL says `{to_wire(digest)}`; "
            "nothing was kept."
        )
    if staged.stat().st_size > record.size:
        os.truncate(staged, record.size)
    return record


def store(stores: Stores, staged: Path, record: XorbRecord) -> None:
    """Make a checked xorb durable under its hash."""
    stores.blobs.adopt(staged, xorb_key(to_wire(record.hash)))


def own(db: Connection, namespace_id: int, record: XorbRecord) -> bool:
    """Let a namespace build on a stored xorb that it has sent; say whether it could not before."""
    moment = now()
    insert_new(
        db,
        Xorb,
        hash=record.hash,
        size=record.size,
        raw_size=record.raw_size,
        record=record.pack(),
        created_at=moment,
    )
    new = insert_new(db, XorbOwner, owner_id=namespace_id, xorb=record.hash, created_at=moment)
    # New to this namespace: whether another one held the xorb must not show in what everybody may read.
    if new:
        STORED_BYTES.labels("xet").inc(record.size)
    return new


def size(db: Connection, namespace_id: int, digest: bytes) -> int:
    """The size of a xorb that a namespace owns; raise NotFound for any other."""
    found = db.execute(
        select(Xorb.size)
        .join(XorbOwner, XorbOwner.xorb == Xorb.hash)
        .where(Xorb.hash == digest, XorbOwner.owner_id == namespace_id)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no xorb `{to_wire(digest)}` in this store.")
    return found


def owned(db: Connection, namespace_id: int, digests: Collection[bytes]) -> dict[bytes, bytes]:
    """Return the packed records of those xorbs that a namespace owns, in the order asked for."""
    wanted = list(digests)
    found: dict[bytes, bytes] = {}
    for at in range(0, len(wanted), _BATCH):
        rows = db.execute(
            select(Xorb.hash, Xorb.record)
            .join(XorbOwner, XorbOwner.xorb == Xorb.hash)
            .where(XorbOwner.owner_id == namespace_id, Xorb.hash.in_(wanted[at : at + _BATCH]))
        )
        found.update((row.hash, row.record) for row in rows)
    return {digest: found[digest] for digest in wanted if digest in found}
