"""How a Xet client reads a file back: which ranges of which xorbs, behind signed URLs."""

from collections.abc import Callable

from sqlalchemy import Connection, select

from hub import contents
from hub.auth.signatures import Signer
from hub.errors import Forbidden, NotFound
from hub.ranges import parse
from hub.tables import Upload, XetFile, Xorb
from hub.uploads.access import DOWNLOAD_AGE_S, XetAccess, XorbRead, authorize
from hub.xet import plans
from hub.xet.hashes import from_wire, to_wire
from hub.xet.xorbs import XorbRecord


def plan(db: Connection, repo_id: int, digest: bytes, header: str | None) -> plans.Reconstruction:
    """Plan how to read a file of a repository, or the bytes of a `Range` header.

    Raise NotFound for the files of others, RangeUnsatisfiable for a range that begins behind the end: clients
    that probe for it take 416 as an answer.
    """
    row = db.execute(
        select(XetFile.size, XetFile.terms)
        .join(Upload, Upload.xet_file == XetFile.id)
        .where(XetFile.hash == digest, Upload.repo_id == repo_id)
    ).first()
    if row is None:
        raise NotFound(f"The repository of this token has no file `{to_wire(digest)}`.")
    span = parse(header, row.size)
    terms = plans.unpack_terms(row.terms)
    packed = contents.packed_records(db, plans.xorbs_of(terms, *(span or (0, None))))
    return plans.reconstruction(terms, contents.XorbRecords(packed), span)


def signed_urls(signer: Signer, store_url: str, access: XetAccess, digest: bytes) -> Callable[[bytes], str]:
    """Return what makes the URL of a xorb for a reader of a file."""

    def url(xorb: bytes) -> str:
        name = to_wire(xorb)
        claims = XorbRead(access.repo, access.token, to_wire(digest), name)
        signature, _ = signer.sign(claims, DOWNLOAD_AGE_S)
        return f"{store_url}/bytes/{name}?signature={signature}"

    return url


def readable(db: Connection, claims: XorbRead, header: str | None) -> tuple[int, int, int]:
    """Return (start, end, size of the xorb) of the range that a signed URL's reader asks for.

    A xorb may hold chunks of private files beside those of this one, so a range must lie within one that
    the file needs. Raise Forbidden for any other, and as `authorize` does for who may no longer read.
    """
    authorize(db, claims.repo, claims.token, need="read")
    xorb = from_wire(claims.xorb)
    packed = db.execute(
        select(XetFile.terms)
        .join(Upload, Upload.xet_file == XetFile.id)
        .where(XetFile.hash == from_wire(claims.file), Upload.repo_id == claims.repo)
    ).scalar()
    stored = db.execute(select(Xorb.record).where(Xorb.hash == xorb)).scalar_one_or_none()
    if packed is None or stored is None:
        raise NotFound(f"There is no xorb `{claims.xorb}`.")
    record = XorbRecord.unpack(stored)
    start, end = parse(header, record.size) or (0, record.size)
    terms = [term for term in plans.unpack_terms(packed) if term.xorb == xorb]
    needed = plans.reconstruction(terms, {xorb: record}).ranges[xorb]
    if not any(each.bytes.start <= start and end <= each.bytes.end + 1 for each in needed):
        raise Forbidden(f"This URL was signed for other bytes of xorb `{claims.xorb}`. Ask for a new one.")
    return start, end, record.size
