"""Hashes against the reference vectors of xet-core (`merklehash/aggregated_hashes.rs`, test_correctness)."""

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from hub.xet import hashes
from hub.xet.errors import FormatError
from hub.xet.hashes import ZERO, file_hash, from_wire, merkle_root, to_wire

NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")

# Leaf n has n * 100 bytes.
LEAVES = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6",
    "c3e67584b5c4fc2a89837ec39e40f2c8a6bb0b2987ac94cd4b31e5fbdd210a72",
    "0d2beb91b9196929a5ddec9f6e306924ddf4a24268e3e59fd8464738d525af37",
    "adf8773496a9b7319b2e50dc98093f344053b17d8ad37100b9c07d9805988784",
    "4ac202caf347fc1e9c874b1ef6a1c5e619141eb775a6f43f0f0124ccd0060d9e",
    "b3b28636f65c149ea52eb1f94669466f70f033b54cea792824c696ba6ef3c389",
    "0e2c1a002aae913d2c0fc8ddfa4e9e14b7b311b3b0d458726d5d9f6a6318013c",
]

VECTORS: list[tuple[list[int], str, str]] = [
    (
        [],
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        [1],
        "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6",
        "8e16257caa3fe079d484d872a8975264b2ff683b0d6db9028cc7c0f968a45661",
    ),
    (
        [1, 2, 3],
        "71ec1275fca074724e2dd666921b3277c7cee603e4d025bcab2d4050015be2bc",
        "54e55dccc6653c612bdb5576c5d3cb34bb31bc4e100248abccf4c908b3ef7715",
    ),
    (
        [1, 1, 1, 1],
        "89f2ada89ff8c96763c6b25010e6dd76a4c05b1466207633ea559acf2093211b",
        "2cdba690d0e09563596e0cda626d43eb4c96ef1e994fe72d9b2f5a83cfcd36dd",
    ),
    (
        [1, 2, 1, 2, 3, 4],
        "52c826f99507aa05d0b45e9837fa1709e0485425cfbcb1e80db3905cf98b3ee9",
        "91d21684db364c8883ab8209fa5eb2e781cf07f37e1fa43e731c30839afe422f",
    ),
    (
        [0, 1, 0, 1, 0],
        "f36c6a6374a567efd36ed087aeb680b57e3af4e0b5b8e7be2593df4cb647a2de",
        "ab2f46d31855e1133b3b5b70e78f841394a648710a208923b221c1a8a0572a1f",
    ),
    (
        [1, 0],
        "e8660f81494ca836a58e395c1395ef97870ed71e2b113eec1fab6b3361f46dd6",
        "274d92f7e2acebaa2b8d63c0b5e7a4fc15814a606e3e3825d55609e671bcc5d9",
    ),
    (
        [0, 1, 2, 3, 4, 5, 6, 7],
        "f62abe77e3fb9c954fe52b0028027ddc90c064c45951a4fd2211d87e5c0011db",
        "d1b068be5bbdb38992269e8efe61f601881e39f7a7585fd76883cc6ea5c23b44",
    ),
    (
        [*range(8)] * 8,
        "6554007c9b5d0a5e7918f79596a1b68815c1407535585435f5735db761f21b88",
        "a8640ab81d48854e00078e12b1ea8be5d90be0ffb5f73a15b7009981d093ddd8",
    ),
    (
        [1] * 32,
        "0a0123c1617921883b7e13902095fcb86676e77c49120c33b233003b0af0e0a6",
        "53af4711fd1d5e5bdc7f931b6be932314d8d673cb16ad2482f6f5222eaf9e63d",
    ),
]


@pytest.mark.parametrize(("leaves", "xorb", "file"), VECTORS)
def test_xorb_and_file_hashes_are_upstreams(leaves: list[int], xorb: str, file: str) -> None:
    root = merkle_root((from_wire(LEAVES[leaf]), leaf * 100) for leaf in leaves)

    assert to_wire(root) == xorb
    assert to_wire(file_hash(root, empty=not leaves)) == file


def batch_root(nodes: list[tuple[bytes, int]]) -> bytes:
    """The tree as upstream builds it: level by level over the whole list."""
    while len(nodes) > 1:
        parents: list[tuple[bytes, int]] = []
        while nodes:
            cut = min(9, len(nodes))
            if len(nodes) > 2:
                cut = next((i + 1 for i in range(2, cut) if nodes[i][0][24] % 4 == 0), cut)
            group, nodes = nodes[:cut], nodes[cut:]
            text = "".join(f"{to_wire(digest)} : {size}\n" for digest, size in group)
            parents.append((blake3(text.encode(), key=NODE_KEY).digest(), sum(n for _, n in group)))
        nodes = parents
    return nodes[0][0] if nodes else ZERO


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 131072)), max_size=300))
def test_the_growing_tree_has_the_root_of_the_whole_list(nodes: list[tuple[bytes, int]]) -> None:
    assert merkle_root(nodes) == batch_root(nodes)


@given(st.binary(min_size=32, max_size=32))
def test_wire_strings_round_trip(digest: bytes) -> None:
    assert from_wire(to_wire(digest)) == digest


def test_a_wire_string_reverses_each_group_of_eight_bytes() -> None:
    assert to_wire(bytes(range(32)))[:16] == "0706050403020100"


@pytest.mark.parametrize(
    "text", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, " " * 64, "٠" * 64, "00 " * 21 + "0"]
)
def test_other_strings_are_no_hashes(text: str) -> None:
    with pytest.raises(FormatError, match="64 lower-case hex digits"):
        from_wire(text)


def test_one_chunk_in_1024_is_eligible_for_the_chunk_query() -> None:
    assert hashes.dedup_eligible(bytes(24) + (5 * 1024).to_bytes(8, "little"))
    assert not hashes.dedup_eligible(bytes(24) + (5 * 1024 + 1).to_bytes(8, "little"))
