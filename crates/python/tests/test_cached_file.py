"""Handles and the buffers over them."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from conftest import FILES, REPO, SIZE, WEIGHTS
from tabagent_model_cache import ClosedError, CorruptError, ModelCache


def test_views_show_the_stored_bytes_and_cannot_be_written(cache: ModelCache) -> None:
    with cache.fetch_file(REPO, WEIGHTS) as file:
        assert len(file) == file.size == SIZE
        assert file.zero_copy
        with memoryview(file) as view:
            assert view.readonly
            assert view == FILES[WEIGHTS]
        first, second = np.frombuffer(file, np.uint8), np.frombuffer(file, np.uint8)
        assert not first.flags.writeable
        assert np.shares_memory(first, second)
        assert first.sum() == np.frombuffer(FILES[WEIGHTS], np.uint8).sum()
        del first, second


def test_a_file_with_views_is_not_closed(cache: ModelCache) -> None:
    file = cache.fetch_file(REPO, WEIGHTS)
    view = memoryview(file)
    with pytest.raises(BufferError):
        file.close()
    assert not file.closed
    view.release()
    file.close()
    file.close()
    assert file.closed
    with pytest.raises(ClosedError):
        memoryview(file)
    with pytest.raises(ClosedError):
        file.bytes()
    assert file.size == SIZE


def test_a_view_outlives_its_handle_the_cache_and_the_stored_file(cache: ModelCache) -> None:
    array = np.frombuffer(cache.fetch_file(REPO, WEIGHTS), np.uint8)
    cache.remove_repo(REPO)
    cache.close()
    gc.collect()
    assert array.tobytes() == FILES[WEIGHTS]


def test_the_pin_goes_with_the_handle(cache: ModelCache) -> None:
    file = cache.fetch_file(REPO, WEIGHTS)
    memoryview(file).release()
    assert cache.stats().views == 1
    file.close()
    assert cache.stats().views == 0


def test_text_json_and_what_a_file_says_of_itself(cache: ModelCache) -> None:
    with cache.fetch_file(REPO, "README.md") as file:
        assert file.text() == "# A model with \u00fcmlauts\n"
        assert (file.repo, file.path, file.digest.algorithm) == (REPO, "README.md", "git-sha1")
        assert file.commit == cache.scan_repo(REPO).commit
        assert not file.zero_copy
        assert file.extents() == []
        assert "README.md" in repr(file)
    with cache.fetch_file(REPO, "config.json") as file:
        assert file.json() == {"model_type": "bert"}


def test_extents_say_where_the_bytes_lie(cache: ModelCache) -> None:
    with cache.fetch_file(REPO, WEIGHTS) as file:
        pieces = []
        for extent in file.extents():
            with extent.file.open("rb") as data:
                data.seek(extent.offset)
                pieces.append(data.read(extent.length))
        assert b"".join(pieces) == FILES[WEIGHTS]


def test_verify_finds_damage_before_bytes_are_handed_out(cache: ModelCache) -> None:
    with cache.fetch_file(REPO, WEIGHTS) as file:
        extent = file.extents()[0]
    _damage(extent.file, extent.offset + 1000)
    with cache.get_file(REPO, WEIGHTS) as unchecked:
        assert bytes(unchecked) != FILES[WEIGHTS]
    with cache.get_file(REPO, WEIGHTS, verify=True) as checked, pytest.raises(CorruptError):
        memoryview(checked)


def _damage(path: Path, offset: int) -> None:
    with path.open("r+b") as data:
        data.seek(offset)
        byte = data.read(1)[0]
        data.seek(offset)
        data.write(bytes([byte ^ 1]))
