"""What the hub tells of a repository: of one in full, of many in lists.

Repo, its Account, its main Ref, its tags ──> RepoInfo, as far as properties were asked for
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, Select, and_, bindparam, func, null, select

from hub.blobs import Blobs
from hub.commits import service as commits
from hub.commits.records import MAIN, CommitRecord, Entry
from hub.errors import BadRequest
from hub.repos import weights
from hub.repos.schemas import (
    DATASET_PROPERTIES,
    MODEL_PROPERTIES,
    LargeFile,
    RepoInfo,
    SecurityStatus,
    Sibling,
)
from hub.repos.service import Kind
from hub.repos.tags import texts
from hub.tables import Account, Blob, Ref, Repo, RepoTag
from hub.wire import stamp

# huggingface_hub reads the tree instead of `siblings` when there are more (VERY_LARGE_REPO_THRESHOLD).
MOST_SIBLINGS = 50_001
_PAGE = 5_000
_FROM_CARD = frozenset({"cardData", "model-index", "baseModels", "description"})


class RepoRow(msgspec.Struct, frozen=True):
    """A repository as lists read it; `head` is the newest commit of main."""

    id: int
    kind: Kind
    namespace: str
    name: str
    private: bool
    created_at: datetime
    updated_at: datetime
    pipeline_tag: str | None
    library_name: str | None
    card: str | None
    manifest: str | None
    downloads: int
    likes: int
    head: bytes | None


def is_heavy(properties: Collection[str]) -> bool:
    """Whether a list of these reads much for each repository: its card, its manifest or its files."""
    return bool((_FROM_CARD | {"config", "siblings"}) & set(properties))


def rows(*, heavy: bool = True) -> Select[*tuple[Any, ...]]:
    """Select what RepoRow holds; add conditions, then hand the rows to `RepoRow(*row)`.

    Cards and manifests may be large: a list that shows none (not `heavy`) leaves them out.
    """
    return (
        select(
            Repo.id,
            Repo.kind,
            Account.name,
            Repo.name,
            Repo.private,
            Repo.created_at,
            Repo.updated_at,
            Repo.pipeline_tag,
            Repo.library_name,
            Repo.card if heavy else null(),
            Repo.manifest if heavy else null(),
            Repo.downloads,
            Repo.likes,
            Ref.target,
        )
        .join(Account, Account.id == Repo.owner_id)
        .outerjoin(Ref, and_(Ref.repo_id == Repo.id, Ref.name == MAIN))
    )


# Built once: making a statement takes SQLAlchemy longer than running it takes SQLite.
_ROW = rows().where(Repo.id == bindparam("repo_id"))
_TAGS = (
    select(RepoTag.repo_id, RepoTag.tag)
    .where(RepoTag.repo_id.in_(bindparam("repo_ids", expanding=True)))
    .order_by(RepoTag.tag)
)


_EACH = (
    select(
        Blob.repo_id,
        func.max(func.coalesce(Blob.large_size, Blob.size)).label("size"),
    )
    .where(Blob.repo_id.in_(bindparam("repo_ids", expanding=True)))
    .group_by(Blob.repo_id, Blob.sha256)
    .subquery()
)
_STORAGE = select(_EACH.c.repo_id, func.sum(_EACH.c.size)).group_by(_EACH.c.repo_id)


def row_of(db: Connection, repo_id: int) -> RepoRow:
    """The row of a repository that was found."""
    return RepoRow(*db.execute(_ROW, {"repo_id": repo_id}).one())


def checked_properties(kind: Kind, expand: Collection[str]) -> frozenset[str]:
    """The properties asked for; raise BadRequest in Hugging Face's words for one that does not exist."""
    known = MODEL_PROPERTIES if kind == "model" else DATASET_PROPERTIES
    if not set(expand) <= set(known):
        raise BadRequest(f'"expand" must be one of [{", ".join(known)}]')
    return frozenset(expand)


def tags_of(db: Connection, repo_ids: Collection[int]) -> dict[int, list[str]]:
    """The tags of these repositories, sorted."""
    found: dict[int, list[str]] = {repo_id: [] for repo_id in repo_ids}
    for row in db.execute(_TAGS, {"repo_ids": list(found)}):
        found[row.repo_id].append(row.tag)
    return found


def storage_of(db: Connection, repo_ids: Collection[int]) -> dict[int, int]:
    """Bytes of every file of every version, one content counted once in each repository."""
    rows = db.execute(_STORAGE, {"repo_ids": list(repo_ids)})
    found: dict[int, int] = {repo_id: int(total) for repo_id, total in rows}
    return {repo_id: found.get(repo_id, 0) for repo_id in repo_ids}


def info(row: RepoRow, tags: list[str], properties: Collection[str]) -> RepoInfo:
    """Say what stands in the row itself; `describe` adds what must be looked up."""
    said = _card(row.card) if _FROM_CARD & set(properties) else {}
    manifest = row.manifest if "config" in properties else None
    every: Mapping[str, object] = {
        "author": row.namespace,
        "sha": UNSET if row.head is None else row.head.hex(),
        "private": row.private,
        "gated": False,
        "disabled": False,
        "downloads": row.downloads,
        "downloadsAllTime": row.downloads,
        "likes": row.likes,
        "trendingScore": row.downloads,
        "tags": tags,
        "pipeline_tag": row.pipeline_tag or UNSET,
        "library_name": row.library_name or UNSET,
        "createdAt": stamp(row.created_at),
        "lastModified": stamp(row.updated_at),
        "cardData": said,
        "config": UNSET if manifest is None else msgspec.json.decode(manifest),
        "model-index": said.get("model-index", UNSET),
        "baseModels": list(texts(said.get("base_model"))) or UNSET,
        "spaces": [],
        "description": next(texts(said.get("description")), UNSET),
        "xetEnabled": True,
    }
    fields = {_FIELDS[name]: value for name, value in every.items() if name in properties}
    path = f"{row.namespace}/{row.name}"
    return RepoInfo(mongo_id=f"{row.id:024x}", id=path, **cast("dict[str, Any]", fields))


_FIELDS = {name: field for field, name in zip(
    RepoInfo.__struct_fields__, RepoInfo.__struct_encode_fields__, strict=True
)}  # fmt: skip


def siblings(db: Connection, repo_id: int, commit: CommitRecord, *, blobs: bool = False) -> list[Sibling]:
    """Every file of a revision, with sizes and ids if `blobs`."""
    found: list[Sibling] = []
    after: str | None = None
    while len(found) < MOST_SIBLINGS:
        page = commits.entries(db, repo_id, commit.tree, recursive=True, after=after, limit=_PAGE)
        found.extend(_sibling(entry, blobs=blobs) for entry in page if entry.kind == "file")
        if len(page) < _PAGE:
            break
        after = page[-1].key
    return found[:MOST_SIBLINGS]


def describe(
    db: Connection,
    store: Blobs,
    row: RepoRow,
    commit: CommitRecord,
    properties: Collection[str],
    *,
    blobs: bool = False,
    security: bool = False,
) -> RepoInfo:
    """Say what is known of a repository at a revision."""
    told = info(row, tags_of(db, [row.id])[row.id] if "tags" in properties else [], properties)
    if "sha" in properties:
        told.sha = commit.id.hex()
    if "siblings" in properties:
        told.siblings = siblings(db, row.id, commit, blobs=blobs)
    if "safetensors" in properties:
        told.safetensors = weights.parameters(db, store, row.id, commit) or UNSET
    if "usedStorage" in properties:
        told.used_storage = storage_of(db, [row.id])[row.id]
    if "mainSize" in properties:
        told.main_size = sum(_size(file) for file in siblings(db, row.id, commit, blobs=True))
    if security:
        told.security_repo_status = SecurityStatus()
    return told


def _size(file: Sibling) -> int:
    return 0 if isinstance(file.size, UnsetType) else file.size


def _sibling(entry: Entry, *, blobs: bool) -> Sibling:
    if not blobs:
        return Sibling(entry.path)
    sibling = Sibling(entry.path, entry.size, entry.id.hex())
    if entry.large_size is not None and entry.sha256 is not None:
        sibling.lfs = LargeFile(entry.sha256.hex(), entry.large_size, entry.pointer_size or 0)
    return sibling


def _card(text: str | None) -> dict[str, object]:
    return {} if text is None else msgspec.json.decode(text, type=dict[str, object])
