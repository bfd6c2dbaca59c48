"""Every table of the hub.

    Account ─┬─< Membership >── Account (the organisation)
             ├─< Token
             └─< Repo ─┬─< Redirect      former names
                       ├─< RepoTag       what its card says, for filters
                       ├─< Ref           refs/heads/main -> commit
                       ├─< Commit ── Tree ── Blob     git objects, by their SHA-1
                       └─< Upload >── Content         large files it may point to

    Content      where the bytes of a SHA-256 lie: a whole blob, or an XetFile
    XetFile      a list of chunk ranges in xorbs, as one namespace described it
    Xorb ─< XorbOwner     which namespaces own a copy, and so may build on it
         └< ChunkHint     chunks that clients ask for before they upload

Git objects are kept per repository: nothing that one repository holds can be asked for through another,
and a forged SHA-1 collision stays with who made it. Contents are shared: their SHA-256 was verified here.
Git ids are 20 raw bytes, SHA-256 and Xet hashes 32.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hub.db import Instant


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, bytes: LargeBinary, int: BigInteger}  # noqa: RUF012 - SQLAlchemy's


def _id() -> Mapped[int]:
    # SQLite counts up only a column that is exactly INTEGER PRIMARY KEY.
    from sqlalchemy import Integer

    return mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


class Account(Table):
    """A user or an organisation; both are namespaces."""

    __tablename__ = "account"
    # What was signed for a removed account must never speak for the next one.
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(8))  # user | org
    name: Mapped[str] = mapped_column(String(96))
    name_key: Mapped[str] = mapped_column(
        String(96), unique=True
    )  # lower case: names differ by more than case
    fullname: Mapped[str] = mapped_column(String(256))
    email: Mapped[str | None] = mapped_column(String(320))
    password: Mapped[str | None] = mapped_column(String(256))  # argon2id
    admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class Membership(Table):
    __tablename__ = "membership"
    org_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))  # read | contributor | write | admin


class Token(Table):
    __tablename__ = "token"
    # Xet tokens name a token by its id.
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = _id()
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(96))
    digest: Mapped[bytes] = mapped_column(unique=True)  # SHA-256: the value has 190 random bits
    hint: Mapped[str] = mapped_column(String(16))  # its last four characters, to tell tokens apart
    role: Mapped[str] = mapped_column(String(8))  # read | write
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Repo(Table):
    __tablename__ = "repo"
    __table_args__ = (
        Index("uq_repo_name", "kind", "owner_id", "name_key", unique=True),
        Index("ix_repo_updated", "kind", "updated_at", "id"),
        Index("ix_repo_created", "kind", "created_at", "id"),
        # Signed tokens and caches name a repository by its id: the id of a deleted one must never come back.
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(8))  # model | dataset
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(96))
    name_key: Mapped[str] = mapped_column(String(96))
    private: Mapped[bool]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    # Read from the card and manifest of the main branch, for lists and filters.
    pipeline_tag: Mapped[str | None] = mapped_column(String(96))
    library_name: Mapped[str | None] = mapped_column(String(96))
    card: Mapped[str | None] = mapped_column(Text)  # the card's metadata, JSON
    manifest: Mapped[str | None] = mapped_column(Text)  # config.json, JSON
    downloads: Mapped[int] = mapped_column(default=0)
    likes: Mapped[int] = mapped_column(default=0)


class RepoTag(Table):
    __tablename__ = "repo_tag"
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(128), primary_key=True, index=True)


class Redirect(Table):
    """A former name of a repository, until another takes it."""

    __tablename__ = "redirect"
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    path_key: Mapped[str] = mapped_column(String(200), primary_key=True)  # namespace/name, lower case
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id", ondelete="CASCADE"), index=True)


class Ref(Table):
    __tablename__ = "ref"
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(250), primary_key=True)  # refs/heads/… | refs/tags/…
    target: Mapped[bytes]
    created_at: Mapped[datetime]


class Commit(Table):
    """A git commit; histories are linear."""

    __tablename__ = "commit"
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[bytes] = mapped_column(primary_key=True)
    parent: Mapped[bytes | None]
    depth: Mapped[int]  # how many commits came before
    tree: Mapped[bytes]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    author: Mapped[str] = mapped_column(String(96))  # the name as it was then
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    data: Mapped[bytes]  # the git object


class Tree(Table):
    __tablename__ = "tree"
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[bytes] = mapped_column(primary_key=True)
    data: Mapped[bytes]  # the git object


class Blob(Table):
    """A git blob: with `large_size` a Git LFS pointer to `sha256`, else `sha256` is its own content."""

    __tablename__ = "blob"
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[bytes] = mapped_column(primary_key=True)
    size: Mapped[int]  # of the blob itself
    sha256: Mapped[bytes] = mapped_column(index=True)
    large_size: Mapped[int | None]


class Content(Table):
    """Bytes that this hub holds and whose SHA-256 it has computed itself."""

    __tablename__ = "content"
    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    size: Mapped[int]
    whole: Mapped[bool]  # lies in the store as one blob
    xet_file: Mapped[int | None] = mapped_column(ForeignKey("xet_file.id"), index=True)  # else: read this
    created_at: Mapped[datetime]


class Upload(Table):
    """A repository may commit pointers to these bytes: they were sent to it, or copied by a reader.

    `xet_file` is how they came to this very repository, if by Xet. What another did with the same bytes must
    not show, not even in the hash by which Xet reads them.
    """

    __tablename__ = "upload"
    __table_args__ = (Index("ix_upload_newest", "repo_id", "created_at"),)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(ForeignKey("content.sha256"), primary_key=True, index=True)
    xet_file: Mapped[int | None] = mapped_column(ForeignKey("xet_file.id"), index=True)
    created_at: Mapped[datetime]


class XetFile(Table):
    __tablename__ = "xet_file"
    __table_args__ = (Index("uq_xet_file_hash", "hash", "owner_id", unique=True),)
    id: Mapped[int] = _id()
    hash: Mapped[bytes]
    owner_id: Mapped[int]  # the namespace; its files stay when it goes
    size: Mapped[int]
    sha256: Mapped[bytes]
    terms: Mapped[bytes]  # hub.xet.plans
    created_at: Mapped[datetime]


class Xorb(Table):
    __tablename__ = "xorb"
    hash: Mapped[bytes] = mapped_column(primary_key=True)
    size: Mapped[int]  # serialized, as it lies in the store
    raw_size: Mapped[int]
    record: Mapped[bytes]  # chunk hashes, sizes and ends: hub.xet.xorbs
    created_at: Mapped[datetime]


class XorbOwner(Table):
    __tablename__ = "xorb_owner"
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    xorb: Mapped[bytes] = mapped_column(ForeignKey("xorb.hash"), primary_key=True)
    created_at: Mapped[datetime]


class ChunkHint(Table):
    """A chunk that clients ask for (the first of a file, and one in 1,024), and a xorb that holds it."""

    __tablename__ = "chunk_hint"
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    chunk: Mapped[bytes] = mapped_column(primary_key=True)
    xorb: Mapped[bytes] = mapped_column(ForeignKey("xorb.hash"))
