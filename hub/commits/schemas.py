"""The wire structs of history, in Hugging Face's spelling."""

from typing import Annotated, Literal

import msgspec

UploadMode = Literal["lfs", "regular"]


class CommitReply(msgspec.Struct, rename="camel"):
    """Where the commit can be seen; clients cut `commitUrl` at `/commit/`."""

    commit_oid: str
    commit_url: str
    success: bool = True
    hook_output: str = ""


class PreuploadQuestion(msgspec.Struct):
    """`sample` holds the first 512 bytes, base64; sizes and .gitattributes decide without it."""

    path: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    sample: str = ""


class PreuploadRequest(msgspec.Struct, rename="camel"):
    """Files about to be uploaded; `gitIgnore` and `gitAttributes` replace the committed ones."""

    files: list[PreuploadQuestion]
    git_ignore: str | None = None
    git_attributes: str | None = None


class PreuploadFile(msgspec.Struct, rename="camel"):
    """How to send one file; `oid` is that of the file that is there now."""

    path: str
    upload_mode: UploadMode
    should_ignore: bool
    oid: str | None


class PreuploadReply(msgspec.Struct):
    files: list[PreuploadFile]


class NewBranch(msgspec.Struct, rename="camel"):
    """`startingPoint` is any revision; an empty branch begins anew; `overwrite` moves one that exists."""

    starting_point: str | None = None
    empty_branch: bool = False
    overwrite: bool = False


class NewTag(msgspec.Struct):
    """Tags are lightweight: `message` is accepted and not kept."""

    tag: str
    message: str | None = None


class Squash(msgspec.Struct):
    message: str = ""


class RefItem(msgspec.Struct, rename="camel"):
    name: str
    ref: str
    target_commit: str


class Refs(msgspec.Struct, rename="camel", omit_defaults=True):
    """`pullRequests` is there when it was asked for."""

    branches: list[RefItem]
    converts: list[RefItem]
    tags: list[RefItem]
    pull_requests: list[RefItem] | None = None


class Author(msgspec.Struct):
    user: str


class Formatted(msgspec.Struct):
    """HTML."""

    title: str
    message: str


class CommitItem(msgspec.Struct, omit_defaults=True):
    id: str
    title: str
    message: str
    authors: list[Author]
    date: str
    formatted: Formatted | None = None


class LargeSide(msgspec.Struct, rename="camel"):
    oid: str
    size: int
    pointer_size: int


class Side(msgspec.Struct, omit_defaults=True):
    """A file on one side of a comparison; `oid` is its git id."""

    path: str
    oid: str
    size: int
    lfs: LargeSide | None = None


class Difference(msgspec.Struct, omit_defaults=True):
    """A path that differs. `patch` is a unified diff, of small text files and on request."""

    status: Literal["added", "modified", "deleted", "renamed"]
    old: Side | None = None
    new: Side | None = None
    patch: str | None = None


class Comparison(msgspec.Struct):
    """What leads from `base` to `head`; `truncated` says that there are more files than are shown."""

    base: str
    head: str
    files: list[Difference]
    truncated: bool
