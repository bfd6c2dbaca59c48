"""Which chunks need not be sent: the answer to a client's chunk query.

Before it uploads, a client asks for the first chunk of each file and for one chunk in 1,024. The answer is
a shard that describes xorbs, and the client compares all its chunks with all of theirs. So one answer a
session also describes what was last sent to the same repository, whatever chunk was asked for: a file that
was saved anew with another header still finds its old chunks. Nothing outside the namespace is described.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

import numpy as np
from sqlalchemy import Connection, select

from hub.db import insert_new
from hub.errors import NotFound
from hub.tables import ChunkHint, Upload, XetFile
from hub.uploads import xorbs
from hub.xet import plans
from hub.xet.hashes import HASH_SIZE, to_wire
from hub.xet.shards import build_dedup_shard
from hub.xet.xorbs import XorbRecord

# A client refers to what it was told for three weeks after this, without asking again.
ANSWER_AGE_S = 7 * 24 * 3600
# 8 GiB of a repository's newest bytes cost an answer of 6 MiB.
MAX_XORBS = 128
_MAX_FILES = 64
_ELIGIBLE_MODULUS = 1024


class Told:
    """Sessions that had the long answer. To forget one costs only a second long answer."""

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def first(self, session: str) -> bool:
        """Say whether this session is here for the first time."""
        with self._lock:
            if session in self._sessions:
                return False
            self._sessions[session] = None
            if len(self._sessions) > self._size:
                self._sessions.popitem(last=False)
            return True


_told = Told()


def hints(terms: Sequence[plans.Term], records: Mapping[bytes, XorbRecord]) -> dict[bytes, bytes]:
    """Return {chunk: xorb} for the chunks of a file that clients ask for (xet-core `file_deduplication`)."""
    found: dict[bytes, bytes] = {}
    for index, term in enumerate(terms):
        hashes = records[term.xorb].hashes[HASH_SIZE * term.start : HASH_SIZE * term.end]
        last_words = np.frombuffer(hashes, "<u8")[3::4]
        asked = np.flatnonzero(last_words % _ELIGIBLE_MODULUS == 0).tolist()
        for at in [*([0] if index == 0 else []), *asked]:
            found.setdefault(hashes[HASH_SIZE * at : HASH_SIZE * (at + 1)], term.xorb)
    return found


def remember(db: Connection, namespace_id: int, found: Mapping[bytes, bytes]) -> None:
    """Write hints down; those that are known stay."""
    for chunk, xorb in found.items():
        insert_new(db, ChunkHint, owner_id=namespace_id, chunk=chunk, xorb=xorb)


def answer(db: Connection, namespace_id: int, repo_id: int, session: str, chunk: bytes) -> bytes:
    """Return a shard of xorbs that the client may build on, chunk hashes keyed; NotFound without any."""
    wanted: dict[bytes, None] = {}
    hit = db.execute(
        select(ChunkHint.xorb).where(ChunkHint.owner_id == namespace_id, ChunkHint.chunk == chunk)
    ).scalar_one_or_none()
    if hit is not None:
        wanted[hit] = None
    if _told.first(session):
        wanted.update(dict.fromkeys(_newest(db, repo_id)))
    packed = xorbs.owned(db, namespace_id, wanted)
    if not packed:
        raise NotFound(f"No chunk `{to_wire(chunk)}` is known in this store.")
    records = (XorbRecord.unpack(each) for each in packed.values())
    return build_dedup_shard(records, secrets.token_bytes(32), int(time.time()) + ANSWER_AGE_S)


def _newest(db: Connection, repo_id: int) -> list[bytes]:
    """The xorbs of what was last sent to a repository, newest first."""
    found: dict[bytes, None] = {}
    for xorb in _newest_terms(db, repo_id):
        found[xorb] = None
        if len(found) == MAX_XORBS:
            break
    return list(found)


def _newest_terms(db: Connection, repo_id: int) -> Iterator[bytes]:
    rows = db.execute(
        select(XetFile.terms)
        .join(Upload, Upload.xet_file == XetFile.id)
        .where(Upload.repo_id == repo_id)
        .order_by(Upload.created_at.desc())
        .limit(_MAX_FILES)
    )
    for row in rows:
        yield from (term.xorb for term in plans.unpack_terms(row.terms))
