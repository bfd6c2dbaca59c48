"""Model cards: the YAML at the top of README.md, read as data and nothing else.

A card comes from a stranger. It is read event by event into plain values, so that nothing is built that YAML
asks to build: no aliases (a few of them make gigabytes), no tags, no numbers that take seconds to read.
Scalars follow the core schema of YAML 1.2, as Hugging Face's parser does: `no` is Norwegian, not false.
"""

import re
from typing import Any

import yaml

LARGEST_CARD = 1 << 20
LARGEST_FRONT_MATTER = 1 << 18
MOST_NODES = 50_000
DEEPEST = 32

# The whole first block, whatever the line ends are; huggingface_hub reads it with nearly this expression.
_FRONT_MATTER = re.compile(
    r"^\ufeff?\s*---[ \t]*\r?\n(.*?)(?:^|\r?\n)---[ \t]*(?:\r?\n|$)", re.DOTALL | re.MULTILINE
)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CardError(ValueError):
    """The metadata of a card cannot be read; the message says where and why."""


def metadata(content: bytes) -> dict[str, object]:
    """Read the metadata of a README.md; a card without any has none. Raise CardError for bad YAML."""
    if len(content) > LARGEST_CARD:
        raise CardError(f"The card has {len(content)} bytes; at most {LARGEST_CARD} are read.")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise CardError(f"The card is not UTF-8: byte {error.start} cannot be read.") from None
    match = _FRONT_MATTER.match(text)
    return {} if match is None else parse(match[1], above=text.count("\n", 0, match.start(1)))


def parse(block: str, *, above: int = 0) -> dict[str, object]:
    """Read one YAML mapping into plain values; raise CardError, counting the lines `above` the block."""
    if len(block) > LARGEST_FRONT_MATTER:
        raise CardError(f"The metadata has {len(block)} characters; at most {LARGEST_FRONT_MATTER} are read.")
    try:
        value = _Reader(block, above).read()
    except yaml.YAMLError as error:
        raise CardError(f"The metadata is not YAML: {_one_line(error, above)}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CardError("The metadata must be `key: value` lines between two `---`.")
    return value


class _Reader:
    """Builds plain values from the events of one document."""

    def __init__(self, block: str, above: int) -> None:
        self.above = above
        self.events = yaml.parse(block, Loader=_LOADER)
        self.nodes = 0

    def read(self) -> object:
        for event in self.events:
            if isinstance(event, yaml.StreamEndEvent):
                return None
            if isinstance(event, yaml.DocumentStartEvent):
                value = self.node(self.next(), 0)
                self.next()  # the end of the document
                if not isinstance(self.next(), yaml.StreamEndEvent):
                    raise CardError("The metadata has several YAML documents; keep the first.")
                return value
        return None

    def next(self) -> yaml.Event:
        return next(self.events)

    def line(self, event: yaml.Event) -> str:
        return f"line {event.start_mark.line + 1 + self.above}"

    def node(self, event: yaml.Event, depth: int) -> object:
        """The value that begins with this event."""
        self.nodes += 1
        where = self.line(event)
        if depth > DEEPEST:
            raise CardError(f"The metadata is nested more than {DEEPEST} deep at {where}.")
        if self.nodes > MOST_NODES:
            raise CardError(f"The metadata has more than {MOST_NODES} values.")
        match event:
            case yaml.ScalarEvent():
                return _scalar(event, where)
            case yaml.SequenceStartEvent():
                return self.items(depth)
            case yaml.MappingStartEvent():
                return self.mapping(depth)
            case _:
                raise CardError(f"The metadata uses an alias (`*name`) at {where}: write the value out.")

    def items(self, depth: int) -> list[object]:
        values: list[object] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            values.append(self.node(event, depth + 1))
        return values

    def mapping(self, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            where = self.line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise CardError(f"A key of the metadata is not a word at {where}.")
            key = str(event.value)
            if key in values:
                raise CardError(f"The key `{key[:80]}` stands twice in one mapping, at {where}.")
            values[key] = self.node(self.next(), depth + 1)
        return values


def _scalar(event: yaml.ScalarEvent, where: str) -> object:
    text = str(event.value)
    if event.tag not in {None, "!", "tag:yaml.org,2002:str"}:
        raise CardError(
            f"The metadata uses the YAML tag `{str(event.tag)[:80]}` at {where}: write a plain value."
        )
    if event.style or event.tag is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= 40 and _NUMBER.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text


def _one_line(error: yaml.YAMLError, above: int) -> str:
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    return (
        f"{problem} at line {mark.line + 1 + above}, column {mark.column + 1}."
        if mark is not None
        else problem
    )
