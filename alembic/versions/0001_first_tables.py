"""The first tables. `hub.tables` draws and explains them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts up only a column that is exactly INTEGER PRIMARY KEY.
Id = BigInteger().with_variant(sa.Integer(), "sqlite")
# Milliseconds since 1970 UTC.
Instant = BigInteger

TABLES = (
    "account",
    "membership",
    "token",
    "repo",
    "repo_tag",
    "redirect",
    "ref",
    "commit",
    "tree",
    "blob",
    "xet_file",
    "content",
    "upload",
    "xorb",
    "xorb_owner",
    "chunk_hint",
)


def upgrade() -> None:
    _accounts()
    _repos()
    _git_objects()
    _contents()
    _xorbs()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _accounts() -> None:
    op.create_table(
        "account",
        Column("id", Id, nullable=False),
        Column("kind", String(8), nullable=False),
        Column("name", String(96), nullable=False),
        Column("name_key", String(96), nullable=False),
        Column("fullname", String(256), nullable=False),
        Column("email", String(320)),
        Column("password", String(256)),
        Column("admin", Boolean, nullable=False),
        Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name_key", name="uq_account_name_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "membership",
        Column("org_id", Id, nullable=False),
        Column("user_id", Id, nullable=False),
        Column("role", String(16), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "user_id", name="pk_membership"),
        sa.ForeignKeyConstraint(["org_id"], ["account.id"], "fk_membership_org_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["account.id"], "fk_membership_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_membership_user_id", "membership", ["user_id"])
    op.create_table(
        "token",
        Column("id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("name", String(96), nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("hint", String(16), nullable=False),
        Column("role", String(8), nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("expires_at", Instant),
        Column("last_used_at", Instant),
        Column("revoked_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], "fk_token_account_id", ondelete="CASCADE"),
        sa.UniqueConstraint("digest", name="uq_token_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_token_account_id", "token", ["account_id"])


def _repos() -> None:
    op.create_table(
        "repo",
        Column("id", Id, nullable=False),
        Column("kind", String(8), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("name", String(96), nullable=False),
        Column("name_key", String(96), nullable=False),
        Column("private", Boolean, nullable=False),
        Column("created_by", Id),
        Column("created_at", Instant, nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("pipeline_tag", String(96)),
        Column("library_name", String(96)),
        Column("card", Text),
        Column("manifest", Text),
        Column("downloads", BigInteger, nullable=False),
        Column("likes", BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_repo"),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], "fk_repo_owner_id"),
        sa.ForeignKeyConstraint(["created_by"], ["account.id"], "fk_repo_created_by", ondelete="SET NULL"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_repo_name", "repo", ["kind", "owner_id", "name_key"], unique=True)
    op.create_index("ix_repo_updated", "repo", ["kind", "updated_at", "id"])
    op.create_index("ix_repo_created", "repo", ["kind", "created_at", "id"])
    op.create_table(
        "repo_tag",
        Column("repo_id", Id, nullable=False),
        Column("tag", String(128), nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "tag", name="pk_repo_tag"),
        _of_repo("repo_tag"),
    )
    op.create_index("ix_repo_tag_tag", "repo_tag", ["tag"])
    op.create_table(
        "redirect",
        Column("kind", String(8), nullable=False),
        Column("path_key", String(200), nullable=False),
        Column("repo_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("kind", "path_key", name="pk_redirect"),
        _of_repo("redirect"),
    )
    op.create_index("ix_redirect_repo_id", "redirect", ["repo_id"])


def _git_objects() -> None:
    op.create_table(
        "ref",
        Column("repo_id", Id, nullable=False),
        Column("name", String(250), nullable=False),
        Column("target", LargeBinary, nullable=False),
        Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "name", name="pk_ref"),
        _of_repo("ref"),
    )
    op.create_table(
        "commit",
        Column("repo_id", Id, nullable=False),
        Column("id", LargeBinary, nullable=False),
        Column("parent", LargeBinary),
        Column("depth", BigInteger, nullable=False),
        Column("tree", LargeBinary, nullable=False),
        Column("author_id", Id),
        Column("author", String(96), nullable=False),
        Column("title", Text, nullable=False),
        Column("message", Text, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("data", LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "id", name="pk_commit"),
        _of_repo("commit"),
        sa.ForeignKeyConstraint(["author_id"], ["account.id"], "fk_commit_author_id", ondelete="SET NULL"),
    )
    op.create_table(
        "tree",
        Column("repo_id", Id, nullable=False),
        Column("id", LargeBinary, nullable=False),
        Column("data", LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "id", name="pk_tree"),
        _of_repo("tree"),
    )
    op.create_table(
        "blob",
        Column("repo_id", Id, nullable=False),
        Column("id", LargeBinary, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("sha256", LargeBinary, nullable=False),
        Column("large_size", BigInteger),
        sa.PrimaryKeyConstraint("repo_id", "id", name="pk_blob"),
        _of_repo("blob"),
    )
    op.create_index("ix_blob_sha256", "blob", ["sha256"])


def _contents() -> None:
    op.create_table(
        "xet_file",
        Column("id", Id, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        Column("owner_id", BigInteger, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("sha256", LargeBinary, nullable=False),
        Column("terms", LargeBinary, nullable=False),
        Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_xet_file"),
    )
    op.create_index("uq_xet_file_hash", "xet_file", ["hash", "owner_id"], unique=True)
    op.create_table(
        "content",
        Column("sha256", LargeBinary, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("whole", Boolean, nullable=False),
        Column("xet_file", Id),
        Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_content"),
        sa.ForeignKeyConstraint(["xet_file"], ["xet_file.id"], "fk_content_xet_file"),
    )
    op.create_index("ix_content_xet_file", "content", ["xet_file"])
    op.create_table(
        "upload",
        Column("repo_id", Id, nullable=False),
        Column("sha256", LargeBinary, nullable=False),
        Column("xet_file", Id),
        Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "sha256", name="pk_upload"),
        _of_repo("upload"),
        sa.ForeignKeyConstraint(["sha256"], ["content.sha256"], "fk_upload_sha256"),
        sa.ForeignKeyConstraint(["xet_file"], ["xet_file.id"], "fk_upload_xet_file"),
    )
    op.create_index("ix_upload_xet_file", "upload", ["xet_file"])
    op.create_index("ix_upload_sha256", "upload", ["sha256"])
    op.create_index("ix_upload_newest", "upload", ["repo_id", "created_at"])


def _xorbs() -> None:
    op.create_table(
        "xorb",
        Column("hash", LargeBinary, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("raw_size", BigInteger, nullable=False),
        Column("record", LargeBinary, nullable=False),
        Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_xorb"),
    )
    op.create_table(
        "xorb_owner",
        Column("owner_id", Id, nullable=False),
        Column("xorb", LargeBinary, nullable=False),
        Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "xorb", name="pk_xorb_owner"),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], "fk_xorb_owner_owner_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["xorb"], ["xorb.hash"], "fk_xorb_owner_xorb"),
    )
    op.create_table(
        "chunk_hint",
        Column("owner_id", Id, nullable=False),
        Column("chunk", LargeBinary, nullable=False),
        Column("xorb", LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "chunk", name="pk_chunk_hint"),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], "fk_chunk_hint_owner_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["xorb"], ["xorb.hash"], "fk_chunk_hint_xorb"),
    )


def _of_repo(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["repo_id"], ["repo.id"], f"fk_{table}_repo_id", ondelete="CASCADE")
