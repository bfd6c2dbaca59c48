"""From `config.json` to records and back, with fields that we do not know kept in their place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import msgspec

from registry_client.manifest.records import VERSION, Manifest, Record

LARGEST_SIZE = 1 << 20  # bytes of config.json
LARGEST_DEPTH = 24


class ManifestError(ValueError):
    """The manifest breaks a rule; the message names the field."""


class NotAManifestError(ManifestError):
    """The document is JSON, but no manifest of this hub: `manifest_version` is missing."""


RecordType = TypeVar("RecordType", bound=Record)


def decode(content: bytes | str) -> Manifest:
    """Read `config.json`.

    Raises ManifestError, which names the field, for anything that breaks a rule, and its
    subclass NotAManifestError for another kind of config.json.
    """
    if len(content) > LARGEST_SIZE:
        raise ManifestError(f"config.json has {len(content)} bytes; at most {LARGEST_SIZE} are read")
    try:
        document = msgspec.json.decode(content)
    except RecursionError:
        raise ManifestError(f"config.json is nested deeper than {LARGEST_DEPTH} levels") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ManifestError(f"config.json is no valid JSON: {error}") from error
    return from_plain(document)


def encode(manifest: Manifest) -> bytes:
    """Write `config.json`: UTF-8, indented by two, unknown fields where they stood."""
    document = to_plain(manifest)
    _demand_plain(document, "config.json")  # msgspec would write NaN as null
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def from_plain(document: object) -> Manifest:
    """Check a document of dicts, lists, strings and numbers, and return the manifest."""
    if not isinstance(document, Mapping):
        raise NotAManifestError("config.json is no JSON object; a manifest starts with `{`")
    fields = cast("Mapping[str, object]", document)
    if "manifest_version" not in fields:
        raise NotAManifestError(
            "config.json has no `manifest_version`, so it is no manifest of a registered model; "
            "register the model with register_pretrained"
        )
    version = fields["manifest_version"]
    if version != VERSION or isinstance(version, bool):
        raise ManifestError(
            f"manifest_version `{version}` is unknown, this library reads {VERSION}; update voxhub"
        )
    return record_from_plain(Manifest, document, "config.json")


def to_plain(record: Record) -> dict[str, Any]:
    """Return dicts, lists, strings and numbers; absent (None, empty) fields are left out."""
    return cast("dict[str, Any]", _spread(record))


def record_from_plain(kind: type[RecordType], document: object, whole: str) -> RecordType:
    """Check one part of a manifest, for instance the inputs that a user wrote as dicts.

    `whole` names the document in messages.
    """
    _demand_plain(document, whole)
    try:
        return msgspec.convert(_stow(document, kind, ""), kind)
    except ManifestError as error:
        raise ManifestError(f"{whole}: {error}") from None
    except msgspec.ValidationError as error:
        message, _, path = str(error).rpartition(" - at `")
        if not message:
            raise ManifestError(f"{whole}: {error}") from error
        raise ManifestError(f"{whole}: `{path.rstrip('`').removeprefix('$.')}`: {message}") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `config.json`; further fields are allowed everywhere."""

    def any_value(kind: type) -> dict[str, Any]:
        if kind is object:
            return {"description": "any JSON value"}
        raise NotImplementedError(kind)

    (root,), components = msgspec.json.schema_components(
        [Manifest], schema_hook=any_value, ref_template="#/$defs/{name}"
    )
    for component in components.values():
        component.get("properties", {}).pop("extra", None)
    manifest = components["Manifest"]
    manifest["properties"]["manifest_version"] = {"const": VERSION}
    manifest["required"] = ["manifest_version", *manifest.get("required", [])]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": components}


def _demand_plain(document: object, whole: str) -> None:
    """Refuse what JSON cannot hold: depth, infinities, keys that are no strings, other objects."""
    stack: list[tuple[object, str, int]] = [(document, "", 0)]
    while stack:
        value, path, depth = stack.pop()
        if depth > LARGEST_DEPTH:
            raise ManifestError(f"{whole}: `{path[:80]}` is nested deeper than {LARGEST_DEPTH} levels")
        match value:
            case float() if not math.isfinite(value):
                raise ManifestError(f"{whole}: `{path}` must be finite, got `{value}`")
            case None | bool() | int() | float() | str():
                pass
            case dict():
                for key, item in cast("dict[object, object]", value).items():
                    if not isinstance(key, str):
                        raise ManifestError(f"{whole}: `{path}` has the key `{key!r}`; keys are strings")
                    stack.append((item, f"{path}.{key}" if path else key, depth + 1))
            case list() | tuple():
                items = cast("list[object]", value)
                stack.extend((item, f"{path}[{index}]", depth + 1) for index, item in enumerate(items))
            case Record():
                pass
            case _:
                raise ManifestError(
                    f"{whole}: `{path}` must be plain data (numbers, strings, lists), got `{value!r:.80}`"
                )


def _stow(value: object, kind: object, path: str) -> object:
    """Move the fields that `kind` does not know into its `extra`, at every level."""
    record, item = _inside(kind)
    if isinstance(value, dict) and record is not None:
        fields = {field.encode_name: field for field in msgspec.structs.fields(record)}
        del fields["extra"]
        pairs = cast("dict[str, object]", value)
        known = {key: _stow(pairs[key], fields[key].type, f"{path}.{key}") for key in pairs if key in fields}
        return {**known, "extra": {key: pairs[key] for key in pairs if key not in fields}}
    if isinstance(value, Record):
        return _stow(to_plain(value), kind, path)
    if isinstance(value, (list, tuple)) and item is not None:
        items = cast("list[object]", value)
        return [_stow(element, item, f"{path}[{index}]") for index, element in enumerate(items)]
    words = [word for choice in (kind, *get_args(kind)) for word in _words(choice)]
    if isinstance(value, str) and words and value not in words:
        listed = ", ".join(f"`{word}`" for word in words)
        raise ManifestError(f"`{path.lstrip('.')}` must be one of {listed}, got `{value:.80}`")
    return value


def _words(kind: object) -> tuple[str, ...]:
    """Return the words of a closed set of words, or nothing."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return choices if all(isinstance(choice, str) for choice in choices) else ()


def _inside(kind: object) -> tuple[type[Record] | None, object | None]:
    """Return (the record in a type, the item type of the sequence in it), either may be None."""
    for choice in (kind, *get_args(kind)) if get_origin(kind) is not tuple else (kind,):
        if isinstance(choice, type) and issubclass(choice, Record):
            return choice, None
        if get_origin(choice) is tuple:
            return None, get_args(choice)[0]
    return None, None


def _spread(value: object) -> object:
    """Return plain data, with `extra` back among the fields of its record."""
    if isinstance(value, Record):
        fields = {
            field.encode_name: _spread(getattr(value, field.name))
            for field in msgspec.structs.fields(type(value))
            if field.name != "extra"
        }
        present = {name: field for name, field in fields.items() if field not in (None, [], {})}
        return {**present, **{name: value.extra[name] for name in value.extra if name not in fields}}
    if isinstance(value, tuple):
        return [_spread(item) for item in cast("tuple[object, ...]", value)]
    return value
