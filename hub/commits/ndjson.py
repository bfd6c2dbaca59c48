"""The body of a commit: one JSON object in each line, a header first.

    {"key": "header",        "value": {"summary", "description"?, "parentCommit"?}}
    {"key": "file",          "value": {"path", "content", "encoding"?: "base64" | "utf-8"}}
    {"key": "lfsFile",       "value": {"path", "algo"?: "sha256", "oid", "size"?}}
    {"key": "deletedFile",   "value": {"path"}}          also a folder
    {"key": "deletedFolder", "value": {"path"}}          ends in `/`
    {"key": "copyFile",      "value": {"path", "srcPath", "srcRevision"?}}

The body lies in a file. It is read twice, one line in memory at a time: first everything is checked and
hashed, and when the commit is known to apply, the contents that the hub lacks are decoded into the store.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from hub.blobs import Blobs, Staging, content_key
from hub.commits import objects, paths
from hub.commits.records import Change, Copy, Delete, Operation, Put, PutLarge
from hub.errors import BadRequest, Invalid, TooLarge
from hub.settings import MIB

# A regular file is held in memory while it is decoded; a larger one belongs into Git LFS or Xet.
LARGEST_FILE = 32 * MIB
LONGEST_LINE = LARGEST_FILE * 4 // 3 + 64 * 1024
LONGEST_OTHER_LINE = 1 * MIB
# Files that short are decoded beside one another.
_SMALL_LINE = 256 * 1024
_FLUSHERS = 16
LONGEST_TITLE = 1000
LONGEST_DESCRIPTION = 65536


class Header(msgspec.Struct, rename="camel"):
    summary: str
    description: str | None = None
    parent_commit: str | None = None


class File(msgspec.Struct):
    path: str
    content: msgspec.Raw
    encoding: Literal["base64", "utf-8"] = "base64"


class LargeFile(msgspec.Struct):
    path: str
    oid: str
    algo: Literal["sha256"] = "sha256"
    size: int | None = None


class Deleted(msgspec.Struct):
    path: str


class Copied(msgspec.Struct, rename="camel"):
    path: str
    src_path: str
    src_revision: str | None = None


class HeaderLine(msgspec.Struct, tag_field="key", tag="header"):
    value: Header


class FileLine(msgspec.Struct, tag_field="key", tag="file"):
    value: File


class LargeFileLine(msgspec.Struct, tag_field="key", tag="lfsFile"):
    value: LargeFile


class DeletedFileLine(msgspec.Struct, tag_field="key", tag="deletedFile"):
    value: Deleted


class DeletedFolderLine(msgspec.Struct, tag_field="key", tag="deletedFolder"):
    value: Deleted


class CopiedFileLine(msgspec.Struct, tag_field="key", tag="copyFile"):
    value: Copied


Line = HeaderLine | FileLine | LargeFileLine | DeletedFileLine | DeletedFolderLine | CopiedFileLine
_decoder = msgspec.json.Decoder(Line)
_OID = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Body(msgspec.Struct):
    """A change, and where in the body the contents of its regular files stand: {sha256: (start, length)}."""

    change: Change
    places: dict[bytes, tuple[int, int]]


def read(body: Path, *, max_operations: int) -> Body:
    """Check and hash a whole body; raise BadRequest, Invalid or TooLarge with the number of the line."""
    header: Header | None = None
    operations: list[Operation] = []
    places: dict[bytes, tuple[int, int]] = {}
    with body.open("rb") as file:
        for number, (start, text) in enumerate(_lines(file), 1):
            line = _decoded(number, text)
            if isinstance(line, HeaderLine):
                if header is not None:
                    raise BadRequest(f"Line {number} is a second header. Send one, as the first line.")
                header = line.value
                continue
            if header is None:
                raise BadRequest(f"Line {number} must be the header: {{'key': 'header', 'value': …}}.")
            if len(operations) == max_operations:
                raise TooLarge(f"A commit may have {max_operations} operations. Split it into several.")
            operation = _operation(number, line)
            operations.append(operation)
            if isinstance(operation, Put):
                places.setdefault(operation.sha256, (start, len(text)))
    if header is None:
        raise BadRequest("The body is empty. Send a header line first, then one line for each operation.")
    return Body(_change(header, operations), places)


def store(body: Path, read_body: Body, wanted: Collection[bytes], blobs: Blobs, staging: Staging) -> None:
    """Make the contents with these SHA-256s durable; the caller writes down that they are held."""

    def store_one(sha256: bytes) -> None:
        start, length = read_body.places[sha256]
        with body.open("rb") as file:
            file.seek(start)
            line = _decoder.decode(file.read(length))
        if not isinstance(line, FileLine):
            raise TypeError(f"the body has changed at byte {start}")
        with staging.file() as (path, staged):
            data = memoryview(_content(line.value))
            while data:
                data = data[staged.write(data) :]
            blobs.adopt(path, content_key(sha256))

    small = [sha256 for sha256 in wanted if read_body.places[sha256][1] <= _SMALL_LINE]
    for sha256 in set(wanted).difference(small):
        store_one(sha256)
    # Each waits for the disk several times; together they wait for the same flushes of its journal.
    with ThreadPoolExecutor(min(_FLUSHERS, len(small) or 1), "flush") as pool:
        for _ in pool.map(store_one, small):
            pass


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its place; empty ones are skipped."""
    start = 0
    while text := file.readline(LONGEST_LINE + 1):
        if len(text) > LONGEST_LINE:
            raise TooLarge(
                f"A line of this commit has more than {LONGEST_LINE} bytes. A regular file may have "
                f"{LARGEST_FILE}; upload larger ones by Xet or Git LFS."
            )
        if text.strip():
            yield start, text
        start += len(text)


def _decoded(number: int, text: bytes) -> Line:
    try:
        line = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"Line {number} of the commit cannot be read: {error}.") from None
    except RecursionError:
        raise BadRequest(f"Line {number} of the commit is nested too deeply.") from None
    if len(text) > LONGEST_OTHER_LINE and not isinstance(line, FileLine):
        raise BadRequest(f"Line {number} has {len(text)} bytes, {LONGEST_OTHER_LINE} are allowed.")
    return line


def _operation(number: int, line: Line) -> Operation:
    match line:
        case FileLine(value):
            return _put(number, value)
        case LargeFileLine(value):
            return _put_large(value)
        case DeletedFileLine(value):
            return Delete(paths.check(value.path.removesuffix("/")), folder=False)
        case DeletedFolderLine(value):
            return Delete(paths.check(value.path.removesuffix("/")), folder=True)
        case CopiedFileLine(value):
            return _copy(value)
        case HeaderLine():
            raise TypeError("a header is no operation")


def _put(number: int, file: File) -> Put | PutLarge:
    path = paths.check(file.path)
    try:
        return regular(path, _content(file))
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadRequest(f"The content of `{path}` (line {number}) cannot be read: {error}.") from None


def regular(path: str, data: bytes) -> Put | PutLarge:
    """The operation that writes these bytes to a path that was checked; the caller stores them."""
    if len(data) > LARGEST_FILE:
        raise TooLarge(
            f"`{path}` has {len(data)} bytes; a regular file may have {LARGEST_FILE}. "
            "Upload it by Xet or Git LFS."
        )
    # To git, a committed pointer is the large file; it must be one that may be pointed to.
    pointed = objects.read_pointer(data)
    if pointed is not None:
        return PutLarge(path, *pointed)
    if paths.is_attributes(path) and max(map(len, data.split(b"\n"))) > paths.LONGEST_ATTRIBUTES_LINE:
        raise Invalid(f"`{path}` has a line of more than {paths.LONGEST_ATTRIBUTES_LINE} bytes.")
    return Put(path, objects.object_id(b"blob", data), len(data), hashlib.sha256(data).digest())


def _content(file: File) -> bytes:
    if file.encoding == "base64":
        return msgspec.json.decode(file.content, type=bytes)
    return msgspec.json.decode(file.content, type=str).encode()


def _put_large(file: LargeFile) -> PutLarge:
    path = paths.check(file.path)
    if _OID.fullmatch(file.oid) is None:
        raise Invalid(
            f"`{path}` has the oid `{paths.shown(file.oid)}`, which is no SHA-256 in lower-case hex."
        )
    if file.size is not None and file.size < 0:
        raise Invalid(f"`{path}` has the size {file.size}.")
    if paths.is_attributes(path):
        raise Invalid(f"`{path}` must be a regular file: git reads it.")
    return PutLarge(path, bytes.fromhex(file.oid), file.size)


def _copy(copied: Copied) -> Copy:
    path = paths.check(copied.path)
    if paths.is_attributes(path) and not paths.is_attributes(copied.src_path):
        raise Invalid(f"`{path}` cannot be a copy: git reads it. Send its content.")
    return Copy(path, paths.check(copied.src_path), copied.src_revision)


def _change(header: Header, operations: list[Operation]) -> Change:
    title, _, rest = header.summary.replace("\0", "").strip().partition("\n")
    title = title.strip()
    description = f"{rest.strip()}\n\n{header.description or ''}".replace("\0", "").strip()
    if not title:
        raise Invalid("The commit has no title. Say in `summary` what it changes.")
    if len(title) > LONGEST_TITLE:
        raise Invalid(f"The commit's title has {len(title)} characters, {LONGEST_TITLE} are allowed.")
    if len(description) > LONGEST_DESCRIPTION:
        raise Invalid(
            f"The commit's description has {len(description)} characters, {LONGEST_DESCRIPTION} are allowed."
        )
    if header.parent_commit is not None and _COMMIT.fullmatch(header.parent_commit) is None:
        raise Invalid(
            f"`parentCommit` is `{paths.shown(header.parent_commit)}`. "
            "It must be a whole commit id: 40 hex digits."
        )
    return Change(title, description, header.parent_commit, operations)
