"""Files of a revision: found by path, listed by folder.

repository + revision ──> commit ──> tree ──> entry ──> content (hub.contents)
"""

from collections.abc import Collection

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection

from hub import contents
from hub.commits import service as commits
from hub.commits.paths import shown
from hub.commits.records import CommitRecord, Entry
from hub.contents import ContentRecord
from hub.errors import EntryNotFound, Unavailable
from hub.files.schemas import LargeFile, LastCommit, TreeEntry
from hub.repos.service import RepoRecord
from hub.wire import stamp
from hub.xet.hashes import to_wire


class File(msgspec.Struct, frozen=True):
    """A file of a revision, and where its bytes lie."""

    repo: RepoRecord
    commit: CommitRecord
    entry: Entry
    content: ContentRecord
    xet: bytes | None

    @property
    def large(self) -> bool:
        """Whether git holds a pointer to it."""
        return self.entry.large_size is not None

    @property
    def etag(self) -> str:
        """What huggingface_hub names the cached file by: the SHA-256 of a large one, else the git id."""
        return self.content.sha256.hex() if self.large else self.entry.id.hex()

    @property
    def xet_hash(self) -> str | None:
        """The name by which Xet clients read it, for large files that came by Xet."""
        return None if self.xet is None else to_wire(self.xet)


def find(db: Connection, repo: RepoRecord, revision: str, path: str) -> File:
    """Return a file at a path.

    Raise RevisionNotFound, or EntryNotFound with the commit in its headers: clients remember per commit what
    does not exist.
    """
    commit = commits.resolve(db, repo.id, revision)
    entry = commits.find_entry(db, repo.id, commit.tree, path)
    if entry is None or entry.sha256 is None:
        what = "a folder, not a file" if entry is not None else "not there"
        raise EntryNotFound(
            f"`{shown(path)}` is {what} in `{repo.path}` at `{shown(revision)}`. List its files with "
            f"`/api/{repo.kind}s/{repo.path}/tree/{commit.id.hex()}`.",
            headers={"X-Repo-Commit": commit.id.hex()},
        )
    content = contents.find(db, entry.sha256)
    if content is None:
        raise Unavailable(f"The hub has lost the content `{entry.sha256.hex()}`. Restore a backup.")
    xet = contents.xet_hashes(db, repo.id, [entry.sha256]) if entry.large_size is not None else {}
    return File(repo, commit, entry, content, xet.get(entry.sha256))


def folder(
    db: Connection,
    repo: RepoRecord,
    commit: CommitRecord,
    path: str,
    *,
    recursive: bool,
    expand: bool,
    after: str | None,
    limit: int,
) -> tuple[list[TreeEntry], str | None]:
    """Return one page of what stands in a folder, and the place after it, or None at the end."""
    found = commits.entries(db, repo.id, commit.tree, path, recursive=recursive, after=after, limit=limit + 1)
    page = found[:limit]
    place = page[-1].key if len(found) > limit else None
    return describe(db, repo, commit, page, expand=expand), place


def at(
    db: Connection, repo: RepoRecord, commit: CommitRecord, wanted: Collection[str], *, expand: bool
) -> list[TreeEntry]:
    """Return what stands at these paths, without those where nothing stands."""
    paths = list(dict.fromkeys(path.strip("/") for path in wanted))
    return describe(db, repo, commit, commits.find_entries(db, repo.id, commit.tree, paths), expand=expand)


def describe(
    db: Connection, repo: RepoRecord, commit: CommitRecord, entries: list[Entry], *, expand: bool
) -> list[TreeEntry]:
    """Tell of entries as `tree` and `paths-info` do; `expand` adds the commit that last changed each."""
    large = {entry.sha256 for entry in entries if entry.large_size is not None and entry.sha256 is not None}
    xet = contents.xet_hashes(db, repo.id, large)
    told = [_told(entry, xet) for entry in entries]
    if expand:
        last = commits.last_commits(db, repo.id, commit, [entry.path for entry in entries])
        for entry in told:
            newest = last[entry.path]
            entry.last_commit = LastCommit(newest.id.hex(), newest.title, stamp(newest.created_at))
            entry.security_file_status = None
    return told


def _told(entry: Entry, xet: dict[bytes, bytes]) -> TreeEntry:
    told = TreeEntry(entry.kind, entry.id.hex(), entry.size, entry.path)
    if entry.large_size is not None and entry.sha256 is not None:
        told.lfs = LargeFile(entry.sha256.hex(), entry.large_size, entry.pointer_size or 0)
        known = xet.get(entry.sha256)
        told.xet_hash = UNSET if known is None else to_wire(known)
    return told
