"""The routes that write files: asking how to send them, and committing."""

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from hub.auth import service as auth
from hub.call import Call
from hub.commits import ndjson, preupload, revisions
from hub.commits import service as commits
from hub.commits.records import MAIN, Put
from hub.commits.schemas import CommitReply, PreuploadReply, PreuploadRequest
from hub.errors import BadRequest, RevisionNotFound, Unsupported
from hub.metrics import COMMITS
from hub.uploads import bodies

# Apart from the threads that answer everybody: a flood of large commits, of which one at a time has the
# database's lock, would take them all. Eight read, hash and flush what the next ones bring.
_COMMITTERS = ThreadPoolExecutor(8, "commit")
_OPERATION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-ndjson": {"schema": {"type": "string", "description": ndjson.__doc__}}},
    }
}


class CommitController(Controller):
    """Writing files."""

    path = "/{namespace:str}/{name:str}"
    tags = ("History",)

    @post("/preupload/{revision:str}", status_code=200, sync_to_thread=True)
    def preupload(
        self,
        *,
        call: NamedDependency[Call],
        data: JSONBody[PreuploadRequest],
        create_pr: FromQuery[bool] = False,
    ) -> PreuploadReply:
        """Say for each file whether it is sent as a large file (`lfs`) or inside the commit (`regular`).

        The .gitattributes of the revision and a limit of 10 MiB decide; .gitignore says what to leave out.
        """
        with call.reading() as db:
            repo = call.repo(db, need="read" if create_pr else "write")
            auth.signed_in(call.actor(db))
            try:
                commit = revisions.resolve(db, repo.id, call.revision)
            except RevisionNotFound:
                if not create_pr:
                    raise
                commit = revisions.resolve(db, repo.id, MAIN)
            return PreuploadReply(preupload.check(db, call.blobs, repo.id, commit, data))

    @post("/commit/{revision:str}", status_code=200, request_max_body_size=None)
    async def commit(
        self,
        *,
        call: NamedDependency[Call],
        create_pr: FromQuery[bool] = False,
    ) -> CommitReply:
        """Add a commit to a branch: newline-delimited JSON, a header line, then one line for each operation.

        Operations apply in order. With `parentCommit` the answer is 412 when the branch has moved; without
        it, they apply to whatever its newest commit is. 200 means that the commit is on the disk.
        """
        if create_pr:
            raise Unsupported(
                "Pull requests are not there yet; commit to a branch (`create_branch`) instead."
            )
        await asyncio.to_thread(_check_branch, call)
        with call.staging.file() as (path, file):
            size = await bodies.receive(
                call.request,
                bodies.file_sink(file),
                what="the commit",
                limit=call.settings.max_commit_size,
            )
            announced = call.request.headers.get("content-length")
            if announced is not None and announced != str(size):
                raise BadRequest(f"The commit ended after {size} of {announced} bytes; nothing was changed.")
            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(
                _COMMITTERS, lambda: context.run(_commit, call, path)
            )


def _check_branch(call: Call) -> None:
    """Refuse before the body is read whom or what it would be refused for afterwards."""
    with call.reading() as db:
        revisions.head(db, call.repo(db, need="write").id, call.revision)


def _commit(call: Call, path: Path) -> CommitReply:
    body = ndjson.read(path, max_operations=call.settings.max_commit_operations)
    puts = [operation for operation in body.change.operations if isinstance(operation, Put)]
    with call.reading() as db:
        missing = commits.unseen(db, puts)
        if missing:
            # A commit that cannot apply must not leave its files in the store.
            repo = call.repo(db, need="write")
            base = revisions.head(db, repo.id, call.revision)
            commits.apply(db, repo.id, call.revision, base, body.change)
    # Flushed before the transaction, which would keep every other writer waiting for the disk.
    ndjson.store(path, body, missing, call.blobs, call.staging)
    with call.writing() as db:
        repo = call.repo(db, need="write")
        actor = auth.writer(call.actor(db))
        record = commits.commit(db, call.blobs, repo, actor, call.revision, body.change)
    COMMITS.inc()
    oid = record.id.hex()
    return CommitReply(oid, f"{call.endpoint}{repo.url_path}/commit/{oid}")
