"""The headers of a file: what clients read, and what keeps a stranger's file from harming a browser."""

from pathlib import PurePosixPath
from urllib.parse import quote

from hub.files.service import File

# A browser that opens a file must not run it on the hub's origin: nothing here is a document, style or
# script, and `sandbox` takes away the origin from whatever a browser makes of it all the same.
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
_TEXT = "text/plain"  # Litestar adds the charset
_TEXTS = frozenset({
    "c", "cfg", "cff", "cpp", "css", "csv", "gitattributes", "gitignore", "h", "htm", "html", "ini", "ipynb",
    "js", "json", "jsonl", "license", "log", "md", "mjs", "mlx", "py", "r", "rst", "sh", "svg", "tex", "toml",
    "ts", "tsv", "txt", "xml", "yaml", "yml",
})  # fmt: skip
_IMAGES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
FULL_ID = 40


def media_type(path: str) -> str:
    """Text, a picture of points, or bytes; never a type that a browser executes."""
    file = PurePosixPath(path)
    ending = (file.suffix or file.name).lstrip(".").lower()
    return _IMAGES.get(ending) or (_TEXT if ending in _TEXTS else "application/octet-stream")


def disposition(path: str) -> str:
    """`Content-Disposition` with the name of the file (RFC 6266), also for clients that know only ASCII."""
    name = path.rpartition("/")[2]
    plain = "".join(
        character if character.isascii() and character.isprintable() and character not in '"\\%' else "_"
        for character in name
    )
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def cache_control(file: File, revision: str) -> str:
    """What caches may keep: files of a public commit; nothing else without asking again."""
    if file.repo.private:
        return "private, no-cache"
    if len(revision) == FULL_ID and revision.lower() == file.commit.id.hex():
        return "public, max-age=31536000, immutable"
    return "no-cache"


def resolved(file: File, revision: str, endpoint: str) -> dict[str, str]:
    """The headers of `resolve`, as huggingface_hub reads them (`get_hf_file_metadata`)."""
    commit = file.commit.id.hex()
    headers = {
        **SAFE,
        "ETag": f'"{file.etag}"',
        "X-Repo-Commit": commit,
        "Accept-Ranges": "bytes",
        "Cache-Control": cache_control(file, revision),
        "Content-Disposition": disposition(file.entry.path),
    }
    if file.large:
        headers["X-Linked-Etag"] = headers["ETag"]
        headers["X-Linked-Size"] = str(file.content.size)
    if file.xet_hash is not None:
        route = f"{endpoint}/api/{file.repo.kind}s/{file.repo.path}/xet-read-token/{commit}"
        headers["X-Xet-Hash"] = file.xet_hash
        headers["X-Xet-Refresh-Route"] = route
        headers["Link"] = f'<{route}>; rel="xet-auth"'
    return headers
