"""Passwords: argon2id at rest, and checks that cost the same whoever is asked for."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.errors import BadRequest, TooManyRequests

MIN_LENGTH = 8
# Longer ones are no safer, and hashing megabytes is a way to keep a server busy.
MAX_LENGTH = 1024
_hasher = PasswordHasher()
# Each check takes 64 MiB and a core for some 50 ms: strangers who try many must queue.
_at_once = threading.BoundedSemaphore(2)
WAIT_S = 5
# Who waits does so in one of the threads that answer everybody: a flood must not take them all.
MOST_WAITING = 8
_waiting = threading.BoundedSemaphore(MOST_WAITING)
# The hash of a password that nobody has: checked for names that do not exist.
_nobody = _hasher.hash("\0 nobody")


def digest(password: str, *, name: str) -> str:
    """Hash a new password of `name`; raise BadRequest for one that is too short, too long or that name."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise BadRequest(
            f"The password has {len(password)} characters; choose one of {MIN_LENGTH} to {MAX_LENGTH}."
        )
    if password.lower() == name.lower():
        raise BadRequest(f"The password of `{name}` cannot be its name. Choose another.")
    with _turn():
        return _hasher.hash(password)


def holds(password: str, kept: str | None) -> bool:
    """Whether a password matches what was kept; takes as long when nothing was."""
    try:
        with _turn():
            matches = _hasher.verify(kept or _nobody, password[: MAX_LENGTH + 1])
    except (VerificationError, InvalidHashError):
        return False
    return matches and kept is not None


@contextmanager
def _turn() -> Generator[None]:
    """Wait for a turn, not for long; raise TooManyRequests at once where too many wait already."""
    if not _waiting.acquire(blocking=False):
        raise _crowded()
    try:
        mine = _at_once.acquire(timeout=WAIT_S)
    finally:
        _waiting.release()
    if not mine:
        raise _crowded()
    try:
        yield
    finally:
        _at_once.release()


def _crowded() -> TooManyRequests:
    return TooManyRequests(
        "Too many people sign in at this moment. Try again.", headers={"Retry-After": str(WAIT_S)}
    )
