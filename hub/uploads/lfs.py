"""Git LFS: what to do about each object of a batch, and an object that came in one piece."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from hub import contents
from hub.auth.signatures import Signer
from hub.blobs import content_key
from hub.call import Stores
from hub.errors import BadRequest, EntryNotFound, Invalid
from hub.metrics import STORED_BYTES
from hub.repos.service import RepoRecord
from hub.settings import Settings
from hub.tables import Content, Upload
from hub.uploads.access import DOWNLOAD_AGE_S, LfsDownload, LfsUpload, authorize
from hub.uploads.parts import count_parts, new_upload
from hub.uploads.schemas import BatchReply, BatchRequest, LfsAction, LfsError, LfsObject, LfsReply

MAX_OBJECTS = 1000
# Each part has a signed URL of 0.5 kB in the answer.
MAX_PARTS = 10_000
_OID = re.compile(r"[0-9a-f]{64}")


class Door(msgspec.Struct, frozen=True):
    """What actions are made of: whose they are, where they lead; `token` is None for nobody."""

    repo: RepoRecord
    token: int | None
    endpoint: str
    signer: Signer
    settings: Settings


def batch(
    db: Connection, door: Door, request: BatchRequest, xet: Callable[[], LfsAction] | None
) -> BatchReply:
    """Answer a batch. `xet` makes the action for clients that offer to send their objects by Xet.

    An object counts as present only if it was sent to this very repository: whether another one holds it
    must not show.
    """
    if request.hash_algo not in ("sha256", "sha_256"):
        raise BadRequest(f"`hash_algo` must be `sha256`, got `{request.hash_algo[:40]}`.")
    if len(request.objects) > MAX_OBJECTS:
        raise BadRequest(f"A batch has at most {MAX_OBJECTS} objects, this one {len(request.objects)}.")
    sizes = _sizes(db, door.repo.id, request.objects)
    if request.operation == "download":
        return BatchReply("basic", [_download(door, each, sizes) for each in request.objects])
    if xet is not None and "xet" in request.transfers:
        action = xet()
        objects = [
            _upload(each, sizes, door.settings, lambda _: {"upload": action}) for each in request.objects
        ]
        return BatchReply("xet", objects)
    in_parts = "multipart" in request.transfers
    if in_parts:
        _check_parts(request, door.settings)
    objects = [
        _upload(each, sizes, door.settings, lambda object_: _actions(door, object_, in_parts=in_parts))
        for each in request.objects
    ]
    parts = any(each.actions and "chunk_size" in (each.actions["upload"].header or {}) for each in objects)
    return BatchReply("multipart" if parts else "basic", objects)


def _check_parts(request: BatchRequest, settings: Settings) -> None:
    large = [each.size for each in request.objects if settings.multipart_size < each.size]
    parts = sum(-(-size // settings.part_size) for size in large if size <= settings.max_file_size)
    if parts > MAX_PARTS:
        raise BadRequest(
            f"These objects have {parts} parts, one batch may have {MAX_PARTS}. Ask for fewer at once."
        )


def _sizes(db: Connection, repo_id: int, objects: list[LfsObject]) -> dict[str, int]:
    """The sizes of those objects that the repository has."""
    names = [bytes.fromhex(each.oid) for each in objects if _OID.fullmatch(each.oid)]
    rows = db.execute(
        select(Content.sha256, Content.size)
        .join(Upload, Upload.sha256 == Content.sha256)
        .where(Upload.repo_id == repo_id, Content.sha256.in_(names))
    )
    return {row.sha256.hex(): row.size for row in rows}


def _upload(
    wanted: LfsObject,
    sizes: dict[str, int],
    settings: Settings,
    actions: Callable[[LfsObject], dict[str, LfsAction]],
) -> LfsReply:
    known = sizes.get(wanted.oid)
    error = None
    if not _OID.fullmatch(wanted.oid):
        error = f"`oid` must be the SHA-256 of the file, 64 lower-case hex digits, got `{wanted.oid[:80]}`."
    elif wanted.size < 0 or (known is not None and wanted.size != known):
        error = f"`{wanted.oid}` does not have {wanted.size} bytes. Compute its size and SHA-256 again."
    elif wanted.size > settings.max_file_size:
        error = f"A file may have at most {settings.max_file_size} bytes, `{wanted.oid}` has {wanted.size}."
    if error is not None:
        return LfsReply(wanted.oid, wanted.size, error=LfsError(422, error))
    if known is not None:
        return LfsReply(wanted.oid, wanted.size)
    return LfsReply(wanted.oid, wanted.size, authenticated=True, actions=actions(wanted))


def _actions(door: Door, wanted: LfsObject, *, in_parts: bool) -> dict[str, LfsAction]:
    """Where to send an object: in one PUT, or in parts when it is large and the client can."""
    claims = LfsUpload(door.repo.id, door.token, wanted.oid, wanted.size)
    in_parts = in_parts and wanted.size > door.settings.multipart_size
    if in_parts:
        claims = msgspec.structs.replace(claims, part_size=door.settings.part_size, upload=new_upload())
    signature, _ = door.signer.sign(claims, door.settings.staging_age_s)
    address = f"{door.endpoint}/api/lfs/{wanted.oid}"
    header = None
    if in_parts:
        numbers = range(1, count_parts(claims) + 1)
        header = {str(number): f"{address}/parts/{number}?signature={signature}" for number in numbers}
        header["chunk_size"] = str(claims.part_size)
    # Signed as well: git-lfs sends no token to actions that are "authenticated".
    verify = f"{address}/verify?signature={signature}"
    age_s = door.settings.staging_age_s
    return {
        "upload": LfsAction(f"{address}?signature={signature}", header, age_s),
        "verify": LfsAction(verify, None, age_s),
    }


def _download(door: Door, wanted: LfsObject, sizes: dict[str, int]) -> LfsReply:
    size = sizes.get(wanted.oid)
    if size is None:
        message = f"`{door.repo.path}` has no object `{wanted.oid[:80]}`."
        return LfsReply(wanted.oid, wanted.size, error=LfsError(404, message))
    signature, _ = door.signer.sign(LfsDownload(door.repo.id, door.token, wanted.oid), DOWNLOAD_AGE_S)
    href = f"{door.endpoint}/api/lfs/{wanted.oid}?signature={signature}"
    return LfsReply(
        wanted.oid, size, authenticated=True, actions={"download": LfsAction(href, None, DOWNLOAD_AGE_S)}
    )


def verify(db: Connection, repo: RepoRecord, wanted: LfsObject) -> None:
    """Confirm that an object has arrived; raise EntryNotFound or Invalid."""
    size = _sizes(db, repo.id, [wanted]).get(wanted.oid)
    if size is None:
        raise EntryNotFound(f"`{repo.path}` has no object `{wanted.oid[:80]}`. Upload it first.")
    if size != wanted.size:
        raise Invalid(f"`{wanted.oid}` has {size} bytes, not {wanted.size}. Upload the file again.")


def admit(stores: Stores, claims: LfsUpload) -> bool:
    """Check a signed upload before its body is read; say whether the object is there already."""
    with stores.database.reading() as db:
        authorize(db, claims.repo, claims.token, need="write")
        return contents.allowed(db, claims.repo, bytes.fromhex(claims.oid))


def store(stores: Stores, claims: LfsUpload, staged: Path, sha256: bytes) -> None:
    """Keep a staged object whose SHA-256 was computed on the way, and let the repository point to it."""
    if sha256.hex() != claims.oid:
        raise Invalid(
            f"The bytes have SHA-256 `{sha256.hex()}`, announced was `{claims.oid}`; nothing was kept. "
            "Upload the file again."
        )
    with stores.database.reading() as db:
        held = contents.find(db, sha256)
    # A Xet file of the same bytes serves as well. A blob that is recorded may have been lost: adopt again.
    if held is None or held.whole:
        stores.blobs.adopt(staged, content_key(sha256))
    with stores.database.writing() as db:
        authorize(db, claims.repo, claims.token, need="write")
        contents.record_whole(db, sha256, claims.size)
        new = contents.allow(db, claims.repo, sha256)
    # New to this repository: whether another one held the bytes must not show in what everybody may read.
    if new:
        STORED_BYTES.labels("lfs").inc(claims.size)
