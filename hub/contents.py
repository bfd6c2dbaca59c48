"""The bytes of a SHA-256: a whole blob, or a Xet file put together from chunks of xorbs.

    Content ─┬─ whole      blobs: content/{aa}/{bb}/{sha256}
             └─ xet_file ── XetFile.terms ──> Xorb.record, blobs: xorbs/{aa}/{hash}

`Upload` says which repository may point to which content: a SHA-256 alone proves nothing, whoever commits
a pointer must have sent the bytes to that repository, or have been able to read them.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from hub.blobs import Blobs, content_key, xorb_key
from hub.db import insert_new, now
from hub.errors import Unavailable
from hub.tables import Content, Upload, XetFile, Xorb
from hub.xet import plans
from hub.xet.errors import FormatError
from hub.xet.hashes import to_wire
from hub.xet.xorbs import XorbRecord

# SQLite's oldest limit for the variables of one statement is 999.
_BATCH = 500
# Files of many versions alternate between xorbs; an unpacked record has 0.1 MiB, at most 1 MiB.
_UNPACKED = 64


class ContentRecord(msgspec.Struct, frozen=True):
    """Bytes that the hub holds; `xet_file` is the id of the XetFile to read them from when not `whole`."""

    sha256: bytes
    size: int
    whole: bool
    xet_file: int | None


# Built once: making a statement takes SQLAlchemy longer than running it takes SQLite.
_FIND = select(Content.sha256, Content.size, Content.whole, Content.xet_file).where(
    Content.sha256 == bindparam("sha256")
)
_XET_HASHES = (
    select(Upload.sha256, XetFile.hash)
    .join(XetFile, XetFile.id == Upload.xet_file)
    .where(Upload.repo_id == bindparam("repo_id"), Upload.sha256.in_(bindparam("sha256s", expanding=True)))
)


def find(db: Connection, sha256: bytes) -> ContentRecord | None:
    """Return where the bytes of a SHA-256 lie, whoever sent them."""
    row = db.execute(_FIND, {"sha256": sha256}).one_or_none()
    return None if row is None else ContentRecord(row.sha256, row.size, row.whole, row.xet_file)


def xet_hashes(db: Connection, repo_id: int, sha256s: Collection[bytes]) -> dict[bytes, bytes]:
    """Return {sha256: Xet hash} for those that a repository got by Xet, and that can be read from it so."""
    found: dict[bytes, bytes] = {}
    for batch in _batches(sha256s):
        rows = db.execute(_XET_HASHES, {"repo_id": repo_id, "sha256s": batch})
        found.update((row.sha256, row.hash) for row in rows)
    return found


def keep(db: Connection, blobs: Blobs, staged: Path, sha256: bytes, size: int) -> None:
    """Store a staged file whose SHA-256 the caller has computed: durable first, then its row.

    Bytes that are already held stay as they are. A large file is better adopted before the transaction
    (`blobs.adopt`, then `record_whole`): flushing it holds the write lock.
    """
    held = find(db, sha256)
    # A blob that its row promises and the store has lost is healed by whoever sends it again.
    if held is not None and not (held.whole and blobs.size(content_key(sha256)) is None):
        staged.unlink(missing_ok=True)
        return
    blobs.adopt(staged, content_key(sha256))
    record_whole(db, sha256, size)


def record_whole(db: Connection, sha256: bytes, size: int) -> None:
    """Write down that the blob of a SHA-256 is in the store."""
    insert_new(db, Content, sha256=sha256, size=size, whole=True, xet_file=None, created_at=now())


def record_xet(db: Connection, sha256: bytes, size: int, xet_file: int) -> None:
    """Write down that a Xet file has these bytes; what is held already stays as it is."""
    insert_new(db, Content, sha256=sha256, size=size, whole=False, xet_file=xet_file, created_at=now())


def allow(db: Connection, repo_id: int, sha256: bytes, xet_file: int | None = None) -> bool:
    """Let a repository commit pointers to bytes that are held; say whether it could not before.

    `xet_file` is the id of the XetFile that was described to it, or to whom it is copied from.
    """
    new = insert_new(db, Upload, repo_id=repo_id, sha256=sha256, xet_file=xet_file, created_at=now())
    if not new and xet_file is not None:
        upload = update(Upload).where(Upload.repo_id == repo_id, Upload.sha256 == sha256)
        db.execute(upload.where(Upload.xet_file.is_(None)).values(xet_file=xet_file))
    return new


def allowed(db: Connection, repo_id: int, sha256: bytes) -> bool:
    """Say whether a repository may commit pointers to these bytes."""
    found = db.execute(select(Upload.sha256).where(Upload.repo_id == repo_id, Upload.sha256 == sha256))
    return found.first() is not None


class ContentReader:
    """Reads one content; it was given everything by `reader` and needs no database."""

    def __init__(self, record: ContentRecord, terms: list[plans.Term], packed: dict[bytes, bytes]) -> None:
        self.record = record
        self._terms = terms
        self._packed = packed

    def path(self, blobs: Blobs) -> Path | None:
        """The file to send straight from the disk, where the store has one with these very bytes."""
        return blobs.path(content_key(self.record.sha256)) if self.record.whole else None

    def stream(self, blobs: Blobs, start: int, end: int) -> Iterator[bytes]:
        """Yield bytes `start` to `end` (exclusive) in pieces of at most 4 MiB.

        Raise Unavailable, also half way, when the store has lost or damaged them: chunks are hashed again
        as they are decoded, because no client does.
        """
        if start >= end:
            return
        if self.record.whole:
            yield from blobs.stream(content_key(self.record.sha256), start, end)
            return
        try:
            yield from plans.decode(self._terms, XorbRecords(self._packed), xorb_reader(blobs), start, end)
        except FormatError as error:
            raise Unavailable(
                f"The stored bytes of `{self.record.sha256.hex()}` are damaged: {error}. "
                "Restore them from a backup, or upload the file again."
            ) from error


def reader(db: Connection, record: ContentRecord, start: int = 0, end: int | None = None) -> ContentReader:
    """Collect what it takes to read the bytes `start` to `end` (exclusive) of a content."""
    if record.whole or record.xet_file is None:
        return ContentReader(record, [], {})
    packed = db.execute(select(XetFile.terms).where(XetFile.id == record.xet_file)).scalar_one()
    terms = plans.unpack_terms(packed)
    return ContentReader(record, terms, packed_records(db, plans.xorbs_of(terms, start, end)))


def packed_records(db: Connection, xorbs: Collection[bytes]) -> dict[bytes, bytes]:
    """Return the packed records of these xorbs; those that are not stored are left out."""
    found: dict[bytes, bytes] = {}
    for batch in _batches(xorbs):
        rows = db.execute(select(Xorb.hash, Xorb.record).where(Xorb.hash.in_(batch)))
        found.update((row.hash, row.record) for row in rows)
    return found


def xorb_reader(blobs: Blobs) -> Callable[[bytes, int, int], bytes]:
    """Return the `open_xorb` of `hub.xet` over a store."""
    return lambda xorb, start, end: blobs.read(xorb_key(to_wire(xorb)), start, end)


class XorbRecords(Mapping[bytes, XorbRecord]):
    """Records that are unpacked when they are asked for: packed they take a fifth of the memory."""

    def __init__(self, packed: dict[bytes, bytes]) -> None:
        self._packed = packed
        self._unpacked: OrderedDict[bytes, XorbRecord] = OrderedDict()

    def __getitem__(self, xorb: bytes) -> XorbRecord:
        record = self._unpacked.get(xorb)
        if record is None:
            record = XorbRecord.unpack(self._packed[xorb])
            self._unpacked[xorb] = record
            if len(self._unpacked) > _UNPACKED:
                self._unpacked.popitem(last=False)
        return record

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


def _batches(keys: Collection[bytes]) -> Iterator[list[bytes]]:
    every = list(keys)
    for at in range(0, len(every), _BATCH):
        yield every[at : at + _BATCH]
