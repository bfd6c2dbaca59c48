"""Large files of one repository for another: nothing is sent, the other may point to them too."""

import re
from typing import Literal

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from sqlalchemy import Connection, select

from hub import contents
from hub.call import Call
from hub.errors import BadRequest
from hub.repos import service as repos
from hub.repos.service import RepoRecord
from hub.tables import Upload

MAX_FILES = 1000
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Target(msgspec.Struct, frozen=True):
    """The repository that gets the files, as `namespace/name`."""

    type: Literal["model", "dataset"]
    name: str


class LargeFile(msgspec.Struct, frozen=True):
    """A large file of the source; its SHA-256 says which."""

    sha256: str


class Copies(msgspec.Struct, frozen=True):
    """Body of `lfs-files/duplicate`."""

    target: Target
    files: list[LargeFile]


class FailedCopy(msgspec.Struct, frozen=True):
    """A file that the source does not have."""

    sha256: str
    error: str


class CopiesReply(msgspec.Struct, frozen=True):
    """What could not be copied; everything else was."""

    failed: list[FailedCopy]


@post(
    "/{namespace:str}/{name:str}/lfs-files/duplicate", status_code=200, sync_to_thread=True, tags=["Git LFS"]
)
def duplicate(call: NamedDependency[Call], data: JSONBody[Copies]) -> CopiesReply:
    """Let another repository commit pointers to large files of this one, which you must be able to read."""
    if len(data.files) > MAX_FILES:
        raise BadRequest(f"At most {MAX_FILES} files at once, got {len(data.files)}.")
    owner, _, other = data.target.name.partition("/")
    with call.writing() as db:
        source = call.repo(db)
        target = repos.get(db, call.actor(db), data.target.type, owner, other, need="write")
        return CopiesReply(_copy(db, source, target, data.files))


def _copy(db: Connection, source: RepoRecord, target: RepoRecord, files: list[LargeFile]) -> list[FailedCopy]:
    asked = {each.sha256: bytes.fromhex(each.sha256) for each in files if _SHA256.fullmatch(each.sha256)}
    held = select(Upload.sha256, Upload.xet_file).where(
        Upload.repo_id == source.id, Upload.sha256.in_(asked.values())
    )
    found = {row.sha256: row.xet_file for row in db.execute(held)}
    for sha256, xet_file in found.items():
        contents.allow(db, target.id, sha256, xet_file)
    missing = [each.sha256 for each in files if asked.get(each.sha256) not in found]
    return [FailedCopy(name, f"`{source.path}` has no large file `{name[:80]}`.") for name in missing]


REPO_API: list[ControllerRouterHandler] = [duplicate]
