"""Which names an account may have: the same rules by HTTP and on the command line."""

import re

from hub.errors import BadRequest

MIN_LENGTH = 2
MAX_LENGTH = 42
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
# First segments of the hub's own addresses, and names that would pass for its operators.
RESERVED = frozenset({
    "about", "account", "accounts", "admin", "administrator", "annotate", "api", "architectures", "assets",
    "audit", "auth", "avatars", "blog", "browse", "cas", "collections", "compare", "dashboard", "datasets",
    "deployments", "docs", "download", "downloads", "explore", "favicon.ico", "files", "health", "help",
    "home", "index.html", "inference", "join", "kernels", "legal", "lfs", "lineage", "login", "logout", "me",
    "metrics",
    "model", "models", "new", "notifications", "oauth", "operator", "organization", "organizations", "orgs",
    "papers", "privacy", "profile", "register", "repos", "robots.txt", "root", "run", "runner", "search",
    "security", "settings", "signin", "signout", "signup", "sitemap.xml", "spaces", "static", "status",
    "studies", "support", "system", "tasks", "terms", "token", "tokens", "uploads", "user", "users", "v1",
    "v2", "voxhub", "well-known", "xet",
})  # fmt: skip


def check(name: str, *, reserved_allowed: bool = False) -> str:
    """Return the name; raise BadRequest, saying which rule it breaks.

    `reserved_allowed` is for the hub's own first account, `admin`.
    """
    shown = ascii(name[:60])[1:-1] + ("…" if len(name) > 60 else "")
    if not MIN_LENGTH <= len(name) <= MAX_LENGTH:
        raise BadRequest(
            f"The name `{shown}` has {len(name)} characters; choose one of {MIN_LENGTH} to {MAX_LENGTH}."
        )
    if not _NAME.fullmatch(name) or "--" in name or ".." in name:
        raise BadRequest(
            f"`{shown}` cannot be a name: use letters of the English alphabet, digits, `-`, `.` and `_`; not "
            "`-` or `.` at either end, nor `--` or `..` anywhere."
        )
    if name.lower().endswith(".git"):
        raise BadRequest(f"`{shown}` cannot be a name: `.git` at the end is git's. Leave it away.")
    if name.lower() in RESERVED and not reserved_allowed:
        raise BadRequest(
            f"The name `{shown}` is reserved: it is part of the hub's own addresses. Choose another."
        )
    return name
