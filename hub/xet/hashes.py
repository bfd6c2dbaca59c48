"""The hashes of Xet: keyed blake3 of chunks, and a tree over them for xorbs and files.

On the wire a hash is 64 hex digits of four little-endian u64, so every group of eight bytes is reversed
against plain `bytes.hex()`. The tree's cut rule is not in the public description of the protocol; it is
that of xet-core, `merklehash/aggregated_hashes.rs`, whose reference vectors the tests hold.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final, TypeAlias

from blake3 import blake3

from hub.xet.errors import FormatError

Buffer: TypeAlias = bytes | bytearray | memoryview

HASH_SIZE: Final = 32
ZERO: Final = bytes(HASH_SIZE)

_CHUNK_KEY: Final = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY: Final = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_RANGE_KEY: Final = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")

_LITTLE: Final = Struct("<4Q")
_BIG: Final = Struct(">4Q")
_WIRE_DIGITS: Final = frozenset("0123456789abcdef")
_DEDUP_MODULUS: Final = 1024
_MIN_CUT: Final = 3
_MAX_GROUP: Final = 9


def to_wire(digest: bytes) -> str:
    """Return the wire string of a raw 32-byte hash."""
    return _BIG.pack(*_LITTLE.unpack(digest)).hex()


def from_wire(text: str) -> bytes:
    """Return the raw 32 bytes of a wire string; FormatError unless it is 64 lower-case hex digits."""
    if len(text) != 2 * HASH_SIZE or not _WIRE_DIGITS.issuperset(text):
        raise FormatError(f"a hash is 64 lower-case hex digits, got `{text[:80]!a}`")
    return _LITTLE.pack(*_BIG.unpack(bytes.fromhex(text)))


def chunk_hash(chunk: Buffer) -> bytes:
    """Hash the plain bytes of a chunk."""
    return blake3(chunk, key=_CHUNK_KEY).digest()


class Tree:
    """A hash tree that grows to the right and keeps less than ten nodes per level in memory."""

    def __init__(self) -> None:
        self._levels: list[list[tuple[bytes, int]]] = [[]]
        self._pushed: list[int] = [0]

    def push(self, digest: bytes, size: int) -> None:
        """Append a leaf: the hash and the plain size of the next chunk."""
        self._push(0, (digest, size))

    def root(self) -> bytes:
        """Close the tree and return its root: zeros without leaves, the hash itself for a single one."""
        level = 0
        while self._pushed[level] > 1:
            if self._levels[level]:
                self._merge(level)
            level += 1
        return self._levels[level][0][0] if self._pushed[level] else ZERO

    def _push(self, level: int, node: tuple[bytes, int]) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._pushed.append(0)
        group = self._levels[level]
        group.append(node)
        self._pushed[level] += 1
        # A group ends at its third or a later node whose last u64 is divisible by 4, or at its ninth.
        if len(group) == _MAX_GROUP or (len(group) >= _MIN_CUT and not node[0][24] & 3):
            self._merge(level)

    def _merge(self, level: int) -> None:
        group = self._levels[level]
        text = "".join([f"{to_wire(digest)} : {size}\n" for digest, size in group])
        parent = blake3(text.encode(), key=_NODE_KEY).digest()
        total = sum([size for _, size in group])
        group.clear()
        self._push(level + 1, (parent, total))


def merkle_root(leaves: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the tree root over (chunk hash, plain size): the hash of a xorb with these chunks."""
    tree = Tree()
    for digest, size in leaves:
        tree.push(digest, size)
    return tree.root()


def file_hash(root: bytes, *, empty: bool = False) -> bytes:
    """Return the hash of the file whose chunks have this tree root; zeros for an empty file."""
    return ZERO if empty else blake3(root, key=ZERO).digest()


def range_hash(digests: Buffer) -> bytes:
    """Return the proof of possession of a chunk range from its concatenated chunk hashes."""
    return blake3(digests, key=_RANGE_KEY).digest()


def hmac(digest: bytes, key: bytes) -> bytes:
    """Return a chunk hash keyed for a chunk query's reply."""
    return blake3(digest, key=key).digest()


def dedup_eligible(digest: bytes) -> bool:
    """Say whether clients ask the chunk query for this chunk (besides the first of each file)."""
    return int.from_bytes(digest[24:], "little") % _DEDUP_MODULUS == 0
