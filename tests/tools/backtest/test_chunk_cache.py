"""Tests of the responses on disk."""

from pathlib import Path

import pytest

from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from tests.tools.backtest.harness import list_cache_files


def test_cache_returns_saved_content_to_a_new_cache_of_the_same_address(tmp_path: Path) -> None:
    ChunkCache(tmp_path, "http://oap").save("service_cpm", "6", {"values": [1, None, "ä"]})

    assert ChunkCache(tmp_path, "http://oap").load("service_cpm", "6") == {"values": [1, None, "ä"]}
    assert ChunkCache(tmp_path, "http://oap").load("service_cpm", "7") is None
    assert ChunkCache(tmp_path, "http://oap").load("service_sla", "6") is None
    assert ChunkCache(tmp_path, "http://other").load("service_cpm", "6") is None
    assert ChunkCache(None, "http://oap").load("service_cpm", "6") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-10],
        lambda content: content.replace(b"9958", b"9959"),
        lambda content: content[:0],
        lambda content: b"\xff\x00" * len(content),
        lambda content: content.replace(b"backtest 1", b"backtest 0"),
    ],
    ids=["truncated", "changed", "empty", "binary", "other format"],
)
def test_cache_ignores_and_counts_a_damaged_file(tmp_path: Path, damage: object) -> None:
    ChunkCache(tmp_path, "http://oap").save("service_sla", "6", {"values": ["9958"]})
    (file,) = list_cache_files(tmp_path)
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    cache = ChunkCache(tmp_path, "http://oap")

    assert cache.load("service_sla", "6") is None
    assert (cache.hits, cache.rejected) == (0, 1)
    cache.save("service_sla", "6", {"values": ["9958"]})
    assert cache.load("service_sla", "6") == {"values": ["9958"]}


def test_cache_ignores_a_valid_file_of_another_key(tmp_path: Path) -> None:
    cache = ChunkCache(tmp_path, "http://oap")
    cache.save("service_sla", "6", "one")
    (file,) = list_cache_files(tmp_path)
    content = file.read_bytes()
    cache.save("service_cpm", "6", "other")
    (other,) = [path for path in list_cache_files(tmp_path) if path != file]
    other.write_bytes(content)

    assert cache.load("service_cpm", "6") is None


def test_cache_leaves_no_file_of_content_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        ChunkCache(tmp_path, "http://oap").save("service_sla", "6", object())

    assert list_cache_files(tmp_path) == []
