"""Passwords: argon2id at rest, and checks that cost the same whoever is asked for."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.errors import Invalid

MIN_LENGTH = 8
# Longer ones are no safer, and hashing megabytes is a way to keep a server busy.
MAX_LENGTH = 1024
_hasher = PasswordHasher()
# Each check takes 64 MiB and a core for some 50 ms: strangers who try many must queue.
_at_once = threading.BoundedSemaphore(2)
# The hash of a password that nobody has: checked for names that do not exist.
_nobody = _hasher.hash("\0 nobody")


def digest(password: str, *, name: str) -> str:
    """Hash a new password of `name`; raise Invalid for one that is too short, too long or the name itself."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Invalid(
            f"The password has {len(password)} characters; choose one of {MIN_LENGTH} to {MAX_LENGTH}."
        )
    if password.lower() == name.lower():
        raise Invalid(f"The password of `{name}` cannot be its name. Choose another.")
    with _at_once:
        return _hasher.hash(password)


def holds(password: str, kept: str | None) -> bool:
    """Whether a password matches what was kept; takes as long when nothing was."""
    try:
        with _at_once:
            matches = _hasher.verify(kept or _nobody, password[: MAX_LENGTH + 1])
    except (VerificationError, InvalidHashError):
        return False
    return matches and kept is not None
