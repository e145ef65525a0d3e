"""Cache of parsed blocks: bounded in bytes."""

import json

from skywalking_provider.block import parse
from skywalking_provider.block.parse import MAX_BLOCK_BYTES, parse_block

BLOCK = {"sli": "success-rate", "window": "3m", "service": "reviews.bookinfo"}


def test_same_block_is_parsed_once() -> None:
    block = json.dumps(BLOCK).encode()

    assert parse_block(block) is parse_block(block)


def test_large_blocks_are_bounded_in_bytes() -> None:
    for number in range(1000):
        parse_block(json.dumps(BLOCK).encode() + b" " * (MAX_BLOCK_BYTES - 1000 - number))

    assert sum(map(len, parse._cache)) <= 2 * 1024 * 1024
    assert parse._cache.currsize <= 4 * 1024 * 1024
