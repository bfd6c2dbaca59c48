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
# A stranger writes the patterns, and they become regular expressions that may try every place for every star:
# with three of them 0.03 s for the worst path, with four already seconds. The clock is read between paths.
_MOST_STARS = 3
_MOST_COSTLY = 100
_MOST_PATTERNS = 10_000
_TIME_LIMIT_S = 5.0
_STARS = re.compile(rb"\*+")
Rules = list[tuple[Pattern, Mapping[bytes, AttributeValue]]]


class Budget:
    """How many patterns one request may still bring, from all its files together."""

    def __init__(self) -> None:
        self._patterns = _MOST_PATTERNS
        self._costly = _MOST_COSTLY

    def spend(self, patterns: Sequence[bytes], name: str) -> None:
        """Count the patterns of one file; raise Invalid for one that takes too long, or too many."""
        stars = [len(_STARS.findall(pattern)) for pattern in patterns]
        for pattern, count in zip(patterns, stars, strict=True):
            if count > _MOST_STARS:
                text = paths.shown(pattern.decode("utf-8", "replace"))
                raise Invalid(f"`{text}` in {name} has {count} stars, {_MOST_STARS} are allowed. Split it.")
        self._patterns -= len(patterns)
        self._costly -= stars.count(_MOST_STARS)
        if self._patterns < 0 or self._costly < 0:
            raise Invalid(
                f"{name} brings too many patterns: {_MOST_PATTERNS} are allowed, {_MOST_COSTLY} of them "
                f"with {_MOST_STARS} stars."
            )


def check(
    db: Connection, blobs: Blobs, repo_id: int, commit: CommitRecord, asked: PreuploadRequest
) -> list[PreuploadFile]:
    """Answer for every file, in order; a request's own .gitignore replaces the committed one.

    Raise Invalid for patterns that take too long.
    """
    asked_paths = [paths.check(file.path) for file in asked.files]
    budget = Budget()
    attributes = _attributes(db, blobs, repo_id, commit.tree, asked.git_attributes, budget)
    ignored = _ignore_filter(db, blobs, repo_id, commit.tree, asked.git_ignore, budget)
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


def _attributes(
    db: Connection, blobs: Blobs, repo_id: int, tree: bytes, given: str | None, budget: Budget
) -> GitAttributes:
    def below(folder: bytes) -> Rules:
        path = f"{folder.decode()}/.gitattributes"
        data = revisions.read(db, blobs, repo_id, tree, path)
        return [] if data is None else _rules(data, folder, budget)

    root = revisions.read(db, blobs, repo_id, tree, ".gitattributes") if given is None else given.encode()
    return GitAttributes(_rules(root or b"", b"", budget), directory_loader=below)


def _rules(data: bytes, folder: bytes, budget: Budget) -> Rules:
    entries = list(parse_attributes(BytesIO(data)))
    budget.spend([pattern for pattern, _ in entries], ".gitattributes")
    return compile_gitattributes_patterns(entries, base=folder)


def _ignore_filter(
    db: Connection, blobs: Blobs, repo_id: int, tree: bytes, given: str | None, budget: Budget
) -> IgnoreFilter:
    data = revisions.read(db, blobs, repo_id, tree, ".gitignore") if given is None else given.encode()
    patterns = list(read_ignore_patterns(BytesIO(data or b"")))
    budget.spend(patterns, ".gitignore")
    return IgnoreFilter(patterns)


def _is_ignored(ignored: IgnoreFilter, path: bytes) -> bool:
    return bool(ignored.patterns) and ignored.is_ignored(path) is True
