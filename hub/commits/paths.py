"""Which paths and which names of branches and tags are allowed.

What git itself would refuse to check out (`git fsck --strict`) never gets into a tree: a clone of an exported
repository must be safe on every file system, also on those that ignore case, trailing dots or invisible
characters.
"""

import re

from dulwich.index import validate_path_element_hfs, validate_path_element_ntfs
from dulwich.refs import Ref, check_ref_format

from hub.errors import BadRequest, Invalid

LONGEST_PATH = 1024  # bytes
LONGEST_NAME = 255  # bytes: what file systems hold
DEEPEST = 100
LONGEST_REF = 200  # bytes
# git fsck refuses a longer line of .gitattributes.
LONGEST_ATTRIBUTES_LINE = 2047
_REFUSED = re.compile(r"[\x00-\x1f\x7f\\]")
# Short names under which NTFS would find .gitmodules and .gitattributes.
_SHORT_NAME = re.compile(r"gi[0-9a-z]{0,4}~[0-9]+", re.IGNORECASE)
# Characters that HFS+ ignores in names.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_HEX_ID = re.compile(r"[0-9a-fA-F]{40}")


def check(path: str) -> str:
    """Return a path if a file may stand there, else raise Invalid."""
    broken = _broken_rule(path)
    if broken is not None:
        raise Invalid(f"Invalid path `{shown(path)}`: {broken}.")
    return path


def shown(text: str) -> str:
    """A stranger's text, fit for a message: one line, short, nothing invisible."""
    visible = "".join(
        character if character.isprintable() else f"\\u{{{ord(character):x}}}" for character in text[:200]
    )
    return f"{visible}…" if len(text) > 200 else visible


def is_attributes(path: str) -> bool:
    """Say whether git reads a file at this path as .gitattributes, on any file system."""
    return _plain(path.rpartition("/")[2]) == ".gitattributes"


def _broken_rule(path: str) -> str | None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not encoded:
        return "it is empty"
    if len(encoded) > LONGEST_PATH:
        return f"it has {len(encoded)} bytes, {LONGEST_PATH} are allowed"
    if _REFUSED.search(path):
        return "it contains a backslash or a control character"
    names = path.split("/")
    if len(names) > DEEPEST:
        return f"it is {len(names)} folders deep, {DEEPEST} are allowed"
    return next(filter(None, map(_broken_name_rule, names)), None)


def _broken_name_rule(name: str) -> str | None:
    if name in {"", ".", ".."}:
        return "it begins or ends with `/`, or contains `//`, `.` or `..`"
    encoded = name.encode()
    if len(encoded) > LONGEST_NAME:
        return f"a name in it has {len(encoded)} bytes, {LONGEST_NAME} are allowed"
    if _plain(name) == ".gitmodules":
        return "submodules are not supported"
    safe = validate_path_element_ntfs(encoded) and validate_path_element_hfs(encoded)
    if not safe or _plain(name) == ".git" or _SHORT_NAME.fullmatch(name):
        return f"git reserves `{shown(name)}`"
    return None


def _plain(name: str) -> str:
    return _IGNORED.sub("", name).partition(":")[0].rstrip(" .").lower()


def check_ref(name: str, kind: str) -> str:
    """Return `refs/heads/…` or `refs/tags/…` for a new `branch` or `tag`; raise BadRequest for a bad name."""
    full = f"refs/{'heads' if kind == 'branch' else 'tags'}/{name}"
    try:
        encoded = full.encode()
    except UnicodeEncodeError:
        encoded = b""
    reserved = name == "HEAD" or name.startswith(("-", "refs/")) or _HEX_ID.fullmatch(name) is not None
    if reserved or not 0 < len(name.encode("utf-8", "replace")) <= LONGEST_REF:
        broken = f"it is reserved, empty or longer than {LONGEST_REF} bytes"
    elif not check_ref_format(Ref(encoded)):
        broken = "git does not allow it (see `git check-ref-format`)"
    else:
        return full
    raise BadRequest(f"`{shown(name)}` cannot be the name of a {kind}: {broken}.")
