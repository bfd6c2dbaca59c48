"""The rules of names: Hugging Face's, so that every client accepts what this hub accepts.

Letters, digits, `-`, `_` and `.`; at most 96; no `--` or `..`; no `-` or `.` at an end; not ending in
`.git` or `.ipynb` (huggingface_hub `validate_repo_id`). Names that differ only by case are one name.
"""

import re
import unicodedata

from hub.errors import BadRequest

LONGEST = 96
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_ENDINGS = (".git", ".ipynb")


def check(name: str) -> str:
    """Return what may be a repository's name, else raise BadRequest with the rule that it breaks."""
    broken = _broken_rule(name)
    if broken is None:
        return name
    raise BadRequest(
        f"`{shown(name)}` cannot be the name of a repository: {broken}. "
        "Use letters, digits, `-`, `_` and `.`, as in `t1-tissue`."
    )


def shown(name: str) -> str:
    """A stranger's text, fit for a message: one line, short, nothing invisible."""
    visible = "".join(
        character if character.isprintable() else f"\\u{{{ord(character):x}}}" for character in name[:LONGEST]
    )
    return f"{visible}…" if len(name) > LONGEST else visible


def _broken_rule(name: str) -> str | None:
    if not name:
        return "it is empty"
    if len(name) > LONGEST:
        return f"it has {len(name)} characters, {LONGEST} are allowed"
    for character in name:
        if not (character.isascii() and (character.isalnum() or character in "-_.")):
            return f"it contains {_described(character)}"
    if "--" in name or ".." in name:
        return "it contains `--` or `..`"
    if _NAME.fullmatch(name) is None:
        return "it begins or ends with `-` or `.`"
    ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), None)
    return None if ending is None else f"it ends in `{ending}`"


def _described(character: str) -> str:
    if character == "/":
        return "`/` (give the namespace as `organization`)"
    if character.isprintable():
        return f"`{character}`"
    return f"a control character ({unicodedata.name(character, f'U+{ord(character):04X}')})"
