"""What goes over the wire: Git LFS (its batch API) and Xet (xet-core `cas_types`)."""

from typing import Literal

import msgspec


class LfsObject(msgspec.Struct, frozen=True):
    """A large file as a client names it."""

    oid: str
    size: int


class LfsRef(msgspec.Struct, frozen=True):
    """The branch that the client means to commit to."""

    name: str


class BatchRequest(msgspec.Struct, frozen=True):
    """Body of `objects/batch`. The JavaScript client writes `sha_256`."""

    operation: Literal["upload", "download"]
    objects: list[LfsObject]
    transfers: list[str] = []
    ref: LfsRef | None = None
    hash_algo: str = "sha256"


class LfsAction(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to send or get an object. With `chunk_size` in `header` its other keys are the parts' URLs."""

    href: str
    header: dict[str, str] | None = None
    expires_in: int | None = None


class LfsError(msgspec.Struct, frozen=True):
    """Why one object cannot be sent or had."""

    code: int
    message: str


class LfsReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to do about one object; nothing when it is there already."""

    oid: str
    size: int
    authenticated: bool | None = None
    actions: dict[str, LfsAction] | None = None
    error: LfsError | None = None


class BatchReply(msgspec.Struct, frozen=True):
    """Reply of `objects/batch`."""

    transfer: str
    objects: list[LfsReply]
    hash_algo: str = "sha256"


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """One part that was sent."""

    part_number: int
    etag: str


class Completion(msgspec.Struct, frozen=True):
    """Body of the POST that ends an upload in parts."""

    oid: str
    parts: list[Part]


class XetConnection(msgspec.Struct, frozen=True, rename="camel"):
    """Where a repository's chunk store is, and the token for it; `exp` in Unix seconds."""

    cas_url: str
    exp: int
    access_token: str


class XorbStored(msgspec.Struct, frozen=True):
    """`was_inserted` is false when this namespace had the xorb."""

    was_inserted: bool


class ShardStored(msgspec.Struct, frozen=True):
    """`result` is 1 when files were registered, 0 when all of them were known."""

    result: Literal[0, 1]


class Validating(msgspec.Struct, frozen=True, tag_field="type", tag="validating"):
    """Progress of a shard's verification, in bytes."""

    verified: int
    total: int


class Committing(msgspec.Struct, frozen=True, tag_field="type", tag="committing"):
    """The files are proved and about to be registered."""

    stage: Literal["uploading", "syncing"] = "syncing"


class Registered(msgspec.Struct, frozen=True, tag_field="type", tag="result"):
    """The files are registered."""


class Refused(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """Nothing was registered."""

    message: str
    retryable: bool


ShardEvent = Validating | Committing | Registered | Refused
