"""Every failure that a caller may see, in the contract that Hugging Face clients read.

    HubError              status, code
    ├── BadRequest        400
    ├── Unauthorized      401
    ├── Forbidden         403
    ├── NotFound          404
    │   ├── RepoNotFound      also for a repository that the caller may not see
    │   ├── RevisionNotFound
    │   └── EntryNotFound     a path inside a revision
    ├── Conflict          409
    ├── BranchMoved       412
    ├── TooLarge          413
    ├── RangeUnsatisfiable 416
    ├── Invalid           422
    ├── TooManyRequests   429
    ├── Unsupported       501
    ├── Unavailable       503  the database or the store is away: never "not found"
    └── StorageFull       507

Services raise these; `hub.app` turns them into `X-Error-Code`, `X-Error-Message` and `{"error": …}`.
`code` is stable: clients choose exceptions by it (huggingface_hub `hf_raise_for_status`).
"""

from collections.abc import Mapping
from typing import ClassVar


class HubError(Exception):
    """A failure with an HTTP status, a stable code and a message that says the next step."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})
        # Joins `error` in the JSON body (a 409 on create must carry `url`).
        self.extra = dict(extra or {})


class BadRequest(HubError):
    status = 400
    code = "BadRequest"


class Unauthorized(HubError):
    status = 401
    code = "Unauthorized"


class Forbidden(HubError):
    status = 403
    code = "Forbidden"


class NotFound(HubError):
    status = 404
    code = "NotFound"


class RepoNotFound(NotFound):
    # The one spelling that the client maps to RepositoryNotFoundError.
    code = "RepoNotFound"


class RevisionNotFound(NotFound):
    code = "RevisionNotFound"


class EntryNotFound(NotFound):
    code = "EntryNotFound"


class Conflict(HubError):
    status = 409
    code = "Conflict"


class BranchMoved(HubError):
    status = 412
    code = "BranchMoved"


class TooLarge(HubError):
    status = 413
    code = "TooLarge"


class RangeUnsatisfiable(HubError):
    status = 416
    code = "RangeUnsatisfiable"


class Invalid(HubError):
    status = 422
    code = "Invalid"


class TooManyRequests(HubError):
    status = 429
    code = "TooManyRequests"


class Unsupported(HubError):
    status = 501
    code = "Unsupported"


class Unavailable(HubError):
    status = 503
    code = "Unavailable"


class StorageFull(HubError):
    status = 507
    code = "StorageFull"

    def __init__(self) -> None:
        super().__init__("The hub's disk is full; nothing was changed. Make room, then try again.")
