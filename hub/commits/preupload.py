"""What a client asks before it uploads: which files are large or ignored, what is there."""

import re
import time
from collections.abc import Mapping, Sequence
from io import BytesIO

from dulwich.attrs import AttributeValue, GitAttributes, Pattern, compile_gitattributes_patterns
from dulwich.attrs import parse_git_attributes as parse_attributes
from dulwich.ignore import IgnoreFilter, read_ignore_patterns
from sqlalchemy import Connection

from hub.blobs import Blobs
from hub.commits import paths, revisions
from hub.commits.records import CommitRecord, Entry
from hub.commits.schemas import PreuploadFile, PreuploadRequest, UploadMode
from hub.errors import Invalid
from hub.settings import MIB

LARGEST_REGULAR = 10 * MIB
# Patterns become regular expressions that may try every place for every star. A stranger writes them.
_MOST_STARS = 4
_TIME_LIMIT_S = 5.0
_STARS = re.compile(rb"\*+")
Rules = list[tuple[Pattern, Mapping[bytes, AttributeValue]]]


def check(
    db: Connection, blobs: Blobs, repo_id: int, commit: CommitRecord, asked: PreuploadRequest
) -> list[PreuploadFile]:
    """Answer for every file, in order; a request's own .gitignore replaces the committed one.

    Raise Invalid for patterns that take too long.
    """
    asked_paths = [paths.check(file.path) for file in asked.files]
    attributes = _attributes(db, blobs, repo_id, commit.tree, asked.git_attributes)
    ignored = _ignore_filter(db, blobs, repo_id, commit.tree, asked.git_ignore)
    there = {
        entry.path: entry
        for entry in revisions.find_entries(db, repo_id, commit.tree, asked_paths)
        if entry.kind == "file"
    }
    deadline = time.monotonic() + _TIME_LIMIT_S
    answers: list[PreuploadFile] = []
    for file in asked.files:
        path = file.path.encode()
        filtered = attributes.match_path(path).get(b"filter") == b"lfs"
        mode: UploadMode = "lfs" if file.size > LARGEST_REGULAR or (filtered and file.size) else "regular"
        answers.append(PreuploadFile(file.path, mode, _is_ignored(ignored, path), _oid(there.get(file.path))))
        if time.monotonic() > deadline:
            raise Invalid(
                f"Matching {len(asked.files)} paths with .gitattributes and .gitignore takes too long. "
                "Ask for fewer paths at once, or write fewer patterns with stars."
            )
    return answers


def _oid(entry: Entry | None) -> str | None:
    """What the client compares with its own file: the SHA-256 of a large one, the git id of a regular one."""
    if entry is None or entry.sha256 is None:
        return None
    return entry.sha256.hex() if entry.large_size is not None else entry.id.hex()


def _attributes(db: Connection, blobs: Blobs, repo_id: int, tree: bytes, given: str | None) -> GitAttributes:
    def below(folder: bytes) -> Rules:
        path = f"{folder.decode()}/.gitattributes"
        data = revisions.read(db, blobs, repo_id, tree, path)
        return [] if data is None else _rules(data, folder)

    root = revisions.read(db, blobs, repo_id, tree, ".gitattributes") if given is None else given.encode()
    return GitAttributes(_rules(root or b"", b""), directory_loader=below)


def _rules(data: bytes, folder: bytes) -> Rules:
    entries = list(parse_attributes(BytesIO(data)))
    _check_stars([pattern for pattern, _ in entries], ".gitattributes")
    return compile_gitattributes_patterns(entries, base=folder)


def _ignore_filter(
    db: Connection, blobs: Blobs, repo_id: int, tree: bytes, given: str | None
) -> IgnoreFilter:
    data = revisions.read(db, blobs, repo_id, tree, ".gitignore") if given is None else given.encode()
    patterns = list(read_ignore_patterns(BytesIO(data or b"")))
    _check_stars(patterns, ".gitignore")
    return IgnoreFilter(patterns)


def _is_ignored(ignored: IgnoreFilter, path: bytes) -> bool:
    return bool(ignored.patterns) and ignored.is_ignored(path) is True


def _check_stars(patterns: Sequence[bytes], name: str) -> None:
    for pattern in patterns:
        if len(_STARS.findall(pattern)) > _MOST_STARS:
            text = paths.shown(pattern.decode("utf-8", "replace"))
            raise Invalid(
                f"`{text}` in {name} has more than {_MOST_STARS} stars. Split it into simpler ones."
            )
