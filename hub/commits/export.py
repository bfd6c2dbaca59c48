"""A repository as a bare one of the real git: loose objects, packed refs, HEAD.

Large files are exported as their Git LFS pointers, which is what history holds of them.
"""

import os
import zlib
from pathlib import Path

from sqlalchemy import Connection, select

from hub.blobs import Blobs
from hub.commits import objects, refs, trees
from hub.commits.records import MAIN
from hub.commits.revisions import batches, blob_rows, read_content
from hub.errors import Conflict
from hub.repos.service import RepoRecord
from hub.tables import Commit, Tree

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"


def export(db: Connection, blobs: Blobs, repo: RepoRecord, folder: Path) -> int:
    """Write everything that the repository's branches and tags reach into a new folder; return its objects.

    Raise Conflict when the folder exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"`{folder}` is not empty. Export into a new folder.")
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    found = refs.every(db, repo.id)
    commits = _commits(db, repo.id, {target for _, target in found})
    seen_trees: set[bytes] = set()
    seen_blobs: set[bytes] = set()
    for tree in commits.values():
        _reach(db, repo.id, tree, seen_trees, seen_blobs)
    for batch in batches(seen_trees):
        rows = db.execute(select(Tree.id, Tree.data).where(Tree.repo_id == repo.id, Tree.id.in_(batch)))
        for row in rows:
            _write(folder, b"tree", row.id, row.data)
    for batch in batches(commits):
        rows = db.execute(
            select(Commit.id, Commit.data).where(Commit.repo_id == repo.id, Commit.id.in_(batch))
        )
        for row in rows:
            _write(folder, b"commit", row.id, row.data)
    _write_blobs(db, blobs, repo.id, seen_blobs, folder)
    lines = [f"{target.hex()} {name}\n" for name, target in sorted(found)]
    (folder / "packed-refs").write_text("".join(lines), encoding="utf-8")
    (folder / "config").write_text(_CONFIG)
    # git takes a folder for a repository when it finds HEAD: it comes last.
    (folder / "HEAD").write_text(f"ref: {MAIN}\n")
    return len(commits) + len(seen_trees) + len(seen_blobs)


def _commits(db: Connection, repo_id: int, targets: set[bytes]) -> dict[bytes, bytes]:
    """{commit: tree} of what the targets reach."""
    found: dict[bytes, bytes] = {}
    wanted = targets
    while wanted:
        above: set[bytes] = set()
        for batch in batches(wanted):
            rows = db.execute(
                select(Commit.id, Commit.parent, Commit.tree).where(
                    Commit.repo_id == repo_id, Commit.id.in_(batch)
                )
            )
            for row in rows:
                found[row.id] = row.tree
                if row.parent is not None:
                    above.add(row.parent)
        wanted = above - found.keys()
    return found


def _reach(db: Connection, repo_id: int, tree: bytes, seen_trees: set[bytes], seen_blobs: set[bytes]) -> None:
    if tree in seen_trees:
        return
    seen_trees.add(tree)
    for item in trees.load(db, repo_id, tree).values():
        if item.folder:
            _reach(db, repo_id, item.id, seen_trees, seen_blobs)
        else:
            seen_blobs.add(item.id)


def _write_blobs(db: Connection, blobs: Blobs, repo_id: int, ids: set[bytes], folder: Path) -> None:
    for identity, row in blob_rows(db, repo_id, ids).items():
        if row.large_size is not None:
            _write(folder, b"blob", identity, objects.pointer(row.sha256, row.large_size))
            continue
        _write(folder, b"blob", identity, read_content(db, blobs, row.sha256))


def _write(folder: Path, kind: bytes, identity: bytes, data: bytes) -> None:
    name = identity.hex()
    path = folder / "objects" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(zlib.compress(b"%s %d\0%s" % (kind, len(data), data), level=1))
    draft.replace(path)
