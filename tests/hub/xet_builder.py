"""Hand-made xorbs and shards for tests: what a Xet client would upload for given bytes.

The formats are written out here again, so that a mistake in `hub.xet` does not hide in its own tests;
only the hashes are shared, and `test_xet_hashes.py` holds them against upstream's vectors.

    upload = build_upload(b"...", chunk_size=4096)
    for name, xorb in upload.xorbs.items(): POST /v1/xorbs/default/{name}
    POST /v1/shards upload.shard            # then commit an lfsFile with upload.sha256
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import lz4.frame

from hub.xet.hashes import chunk_hash, file_hash, from_wire, merkle_root, range_hash, to_wire

SHARD_TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
Scheme = Literal[0, 1, 2]


@dataclass
class BuiltXorb:
    chunks: list[bytes]
    data: bytes
    hash: bytes

    @property
    def name(self) -> str:
        return to_wire(self.hash)


@dataclass
class BuiltTerm:
    """The chunks [start, end) of a built xorb."""

    xorb: BuiltXorb
    start: int
    end: int

    @property
    def chunks(self) -> list[bytes]:
        return self.xorb.chunks[self.start : self.end]


@dataclass
class BuiltFile:
    terms: list[BuiltTerm]
    content: bytes
    hash: bytes
    sha256: str

    @property
    def name(self) -> str:
        return to_wire(self.hash)


@dataclass
class BuiltUpload:
    """`xorbs` by wire hash, the shard that describes the file, and the names that the hub will use."""

    xorbs: dict[str, bytes]
    shard: bytes
    file_hash: str
    sha256: str
    size: int
    parts: list[BuiltXorb] = field(default_factory=list[BuiltXorb])


def split(content: bytes, chunk_size: int = 65536) -> list[bytes]:
    """Cut bytes into chunks of equal size; the protocol does not mind where chunks are cut."""
    return [content[at : at + chunk_size] for at in range(0, len(content), chunk_size)]


def build_chunk(chunk: bytes, scheme: Scheme = 0) -> bytes:
    """Return one stored chunk with its header."""
    if scheme == 0:
        stored = chunk
    elif scheme == 1:
        stored = lz4.frame.compress(chunk, store_size=False)
    else:
        grouped = b"".join(chunk[plane::4] for plane in range(4))
        stored = lz4.frame.compress(grouped, store_size=False)
    return build_header(len(stored), scheme, len(chunk)) + stored


def build_header(stored_size: int, scheme: int, size: int, version: int = 0) -> bytes:
    """Return the eight bytes in front of a stored chunk."""
    sizes = stored_size.to_bytes(3, "little"), size.to_bytes(3, "little")
    return bytes([version]) + sizes[0] + bytes([scheme]) + sizes[1]


def build_xorb(chunks: Sequence[bytes], scheme: Scheme | Sequence[Scheme] = 0) -> BuiltXorb:
    """Return a valid xorb of these chunks, stored by one scheme or by one per chunk."""
    schemes: list[Scheme] = list(scheme) if isinstance(scheme, Sequence) else [scheme] * len(chunks)
    data = b"".join(build_chunk(chunk, each) for chunk, each in zip(chunks, schemes, strict=True))
    leaves = [(chunk_hash(chunk), len(chunk)) for chunk in chunks]
    return BuiltXorb(list(chunks), data, merkle_root(leaves))


def build_trailer(xorb: BuiltXorb) -> bytes:
    """Return a trailer as older clients append it: tag, version, hash, and lengths that nobody reads."""
    body = b"XETBLOB\x01" + xorb.hash + struct.pack("<I", len(xorb.chunks)) + bytes(16)
    return body + struct.pack("<I", len(body))


def build_file(terms: Sequence[BuiltTerm]) -> BuiltFile:
    """Return the file that these chunk ranges make."""
    chunks = [chunk for term in terms for chunk in term.chunks]
    content = b"".join(chunks)
    root = merkle_root((chunk_hash(chunk), len(chunk)) for chunk in chunks)
    digest = file_hash(root, empty=not chunks)
    return BuiltFile(list(terms), content, digest, hashlib.sha256(content).hexdigest())


def build_shard(files: Sequence[BuiltFile], xorbs: Sequence[BuiltXorb]) -> bytes:
    """Return the shard of these files and xorbs, with range hashes and SHA-256, without a footer."""
    out = [SHARD_TAG, struct.pack("<QQ", 2, 0)]
    for file in files:
        out.append(_record(file.hash, 3 << 30, len(file.terms), 0, 0))
        for term in file.terms:
            size = sum(len(chunk) for chunk in term.chunks)
            out.append(_record(term.xorb.hash, 0, size, term.start, term.end))
        for term in file.terms:
            proof = range_hash(b"".join(chunk_hash(chunk) for chunk in term.chunks))
            out.append(_record(proof, 0, 0, 0, 0))
        out.append(_record(from_wire(file.sha256), 0, 0, 0, 0))
    out.append(_record(b"\xff" * 32, 0, 0, 0, 0))
    for xorb in xorbs:
        raw_size = sum(len(chunk) for chunk in xorb.chunks)
        out.append(_record(xorb.hash, 0, len(xorb.chunks), raw_size, len(xorb.data)))
        offset = 0
        for chunk in xorb.chunks:
            out.append(_record(chunk_hash(chunk), offset, len(chunk), 0, 0))
            offset += len(chunk)
    out.append(_record(b"\xff" * 32, 0, 0, 0, 0))
    return b"".join(out)


def build_upload(
    content: bytes, *, chunk_size: int = 65536, chunks_per_xorb: int = 512, scheme: Scheme = 0
) -> BuiltUpload:
    """Return everything a client would upload for one file of fixed-size chunks."""
    chunks = split(content, chunk_size)
    groups = [chunks[at : at + chunks_per_xorb] for at in range(0, len(chunks), chunks_per_xorb)]
    xorbs = [build_xorb(group, scheme) for group in groups]
    file = build_file([BuiltTerm(xorb, 0, len(xorb.chunks)) for xorb in xorbs])
    stored = {xorb.name: xorb.data for xorb in xorbs}
    return BuiltUpload(stored, build_shard([file], xorbs), file.name, file.sha256, len(content), xorbs)


def _record(digest: bytes, *words: int) -> bytes:
    return struct.pack("<32s4I", digest, *words)
