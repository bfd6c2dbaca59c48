"""The few small files that may come with a repository's creation, as the JavaScript client sends them."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from hashlib import sha256

from sqlalchemy import Connection

from hub import contents
from hub.auth.service import Actor
from hub.call import Call
from hub.commits import ndjson, paths
from hub.commits import service as commits
from hub.commits.records import Change, Put, PutLarge
from hub.errors import BadRequest
from hub.repos.schemas import NewFile, NewRepo
from hub.repos.service import RepoRecord

MOST = 50
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
CARD = "README.md"


def read(request: NewRepo) -> dict[str, bytes]:
    """The files of a request by path, and a card with its license; raise BadRequest or Invalid."""
    files = _decoded(request.files or [])
    if request.license is not None and CARD not in files:
        if not _LICENSE.fullmatch(request.license):
            raise BadRequest("`license` must be an identifier such as `apache-2.0`.")
        files[CARD] = f"---\nlicense: {request.license}\n---\n".encode()
    return files


def add(db: Connection, call: Call, repo: RepoRecord, actor: Actor, files: Mapping[str, bytes]) -> None:
    """Commit files to a new repository."""
    puts = [_kept(db, call, path, content) for path, content in files.items()]
    commits.commit(db, call.blobs, repo, actor, "main", Change("Add first files", "", None, [*puts]))


def _decoded(files: list[NewFile]) -> dict[str, bytes]:
    if len(files) > MOST:
        raise BadRequest(f"{len(files)} files were sent; create the repository with at most {MOST}.")
    try:
        return {
            paths.check(file.path): b64decode(file.content, validate=True)
            if file.encoding == "base64"
            else file.content.encode()
            for file in files
        }
    except (Base64Error, ValueError) as error:
        raise BadRequest(f"The content of a file cannot be decoded: {error}.") from None


def _kept(db: Connection, call: Call, path: str, content: bytes) -> Put | PutLarge:
    digest = sha256(content).digest()
    with call.staging.file() as (staged, file):
        file.write(content)
        contents.keep(db, call.blobs, staged, digest, len(content))
    return ndjson.regular(path, content)
