"""What a Xet token or a signed URL allows, and whether that still holds.

Each names a repository and the hub token behind it. Both are looked up again on every request, so revoking
a token, hiding a repository or leaving an organisation takes effect at once and not when a signature ends.
Only the URL of a xorb (`XorbRead`) stands alone: it shows one file's bytes to whoever has it, for an hour.
"""

import secrets

import msgspec
from sqlalchemy import Connection, select

from hub.auth import service as auth
from hub.auth.signatures import Signer
from hub.call import Call
from hub.errors import Forbidden, NotFound, RepoNotFound
from hub.repos import service as repos
from hub.repos.service import Kind, Need, RepoRecord
from hub.tables import Account, Repo

DOWNLOAD_AGE_S = 3600


class LfsUpload(msgspec.Struct, frozen=True):
    """The right to send one object to one repository; `upload` names the file that collects its parts."""

    repo: int
    token: int | None
    oid: str
    size: int
    part_size: int = 0
    upload: str = ""


class LfsDownload(msgspec.Struct, frozen=True):
    """The right to read one object of one repository."""

    repo: int
    token: int | None
    oid: str


class XetAccess(msgspec.Struct, frozen=True):
    """A Xet token: one repository, with the store of the namespace that it was in."""

    repo: int
    token: int | None
    write: bool
    store: str
    session: str


class XorbRead(msgspec.Struct, frozen=True):
    """The right to read what one file of one repository needs of one xorb: the rest may be private."""

    repo: int
    token: int | None
    file: str
    xorb: str


def store_of(signer: Signer, namespace_id: int) -> str:
    """The name of a namespace's chunk store, a part of its `casUrl`.

    Clients keep a cache for each `casUrl` and refer to what they sent there weeks ago without asking. So two
    namespaces must not share one, nor may a hub that was set up anew under the address of an older one.
    """
    return signer.derive(f"xet store of namespace {namespace_id}")


class XetGrant(msgspec.Struct, frozen=True):
    """A Xet token and where it is good for; `ends` in Unix seconds."""

    url: str
    token: str
    ends: int
    session: str

    def headers(self) -> dict[str, str]:
        """What huggingface_hub reads on downloads, and on uploads up to 1.19 (`utils/_xet.py`)."""
        return {
            "X-Xet-Cas-Url": self.url,
            "X-Xet-Access-Token": self.token,
            "X-Xet-Token-Expiration": str(self.ends),
        }


def grant(call: Call, repo: RepoRecord, token_id: int | None, *, write: bool) -> XetGrant:
    """Make a Xet token for a repository whose rights were checked."""
    store = store_of(call.signer, repo.owner_id)
    access = XetAccess(repo.id, token_id, write, store, secrets.token_hex(8))
    token, ends = call.signer.sign(access, call.settings.xet_token_age_s)
    return XetGrant(f"{call.endpoint}/cas/{store}", token, ends, access.session)


def enter(call: Call, db: Connection, store: str, *, write: bool) -> tuple[RepoRecord, XetAccess]:
    """Return the repository that a request to a chunk store may read, or write.

    Raise Forbidden for a read token where writing is needed, NotFound for another store's.
    """
    access = call.signer.bearer(call.request.headers.get("authorization"), XetAccess)
    return confirm(call, db, access, store, write=write), access


def confirm(call: Call, db: Connection, access: XetAccess, store: str, *, write: bool) -> RepoRecord:
    """Check a Xet token's claims again, as `enter` did when the body began."""
    if write and not access.write:
        raise Forbidden("This Xet token may only read. Ask for one at `xet-write-token`.")
    repo = authorize(db, access.repo, access.token, need="write" if write else "read")
    if not access.store == store == store_of(call.signer, repo.owner_id):
        raise NotFound(f"`{store}` is not the chunk store of `{repo.path}`. Ask the hub for a new Xet token.")
    return repo


def authorize(db: Connection, repo_id: int, token_id: int | None, *, need: Need) -> RepoRecord:
    """Return a repository by its id if the hub token, or nobody, has the right that is needed.

    Raise RepoNotFound, Unauthorized or Forbidden as `repos.get` does.
    """
    row = db.execute(
        select(Repo.kind, Account.name.label("namespace"), Repo.name)
        .join(Account, Account.id == Repo.owner_id)
        .where(Repo.id == repo_id)
    ).one_or_none()
    if row is None:
        raise RepoNotFound("The repository that this token or URL was made for is gone.")
    kind: Kind = "dataset" if row.kind == "dataset" else "model"
    actor = None if token_id is None else auth.reidentify(db, token_id)
    return repos.get(db, actor, kind, row.namespace, row.name, need=need)
