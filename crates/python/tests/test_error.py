"""Exceptions by code."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest
import tabagent_model_cache
from conftest import REPO
from local_hub import LocalHub
from tabagent_model_cache import ERROR_CODES, ModelCache, ModelCacheError, NoSpaceError, _native, error


def test_the_codes_are_those_of_the_core() -> None:
    assert list(ERROR_CODES) == _native.ERROR_CODES
    exported = vars(tabagent_model_cache).values()
    assert all(kind in exported for kind in ModelCacheError.__subclasses__())


@pytest.mark.parametrize(
    ("repo", "quant", "revision", "code", "parent"),
    [
        ("owner/none", "q4", None, "ERR_REPO_NOT_FOUND", FileNotFoundError),
        (REPO, "q5", None, "ERR_QUANT_NOT_FOUND", FileNotFoundError),
        (REPO, "q4", "no-branch", "ERR_REVISION_NOT_FOUND", FileNotFoundError),
        ("a/b/c", "q4", None, "ERR_INVALID_ARGUMENT", ValueError),
    ],
)
def test_an_error_has_its_code_and_a_builtin_parent(
    cache: ModelCache, repo: str, quant: str, revision: str | None, code: str, parent: type[Exception]
) -> None:
    with pytest.raises(ModelCacheError) as caught:
        cache.download_quant(repo, quant, revision=revision)
    assert caught.value.code == code
    assert isinstance(caught.value, parent)
    if code != "ERR_INVALID_ARGUMENT":
        assert caught.value.repo == repo


def test_a_hub_that_is_not_there(hub: LocalHub, tmp_path: Path) -> None:
    with LocalHub(hub.root) as gone:
        url = gone.url
    with ModelCache(tmp_path / "store", endpoint=url, retries=0) as cache:
        with pytest.raises(ConnectionError) as caught:
            cache.scan_repo(REPO)
        assert caught.value.code == "ERR_NETWORK"
        assert caught.value.url.startswith(url)
        assert caught.value.__cause__ is not None


def test_after_close_every_call_says_so(cache: ModelCache) -> None:
    cache.close()
    cache.close()
    with pytest.raises(ValueError, match="closed") as caught:
        cache.stats()
    assert caught.value.code == "ERR_CLOSED"


@pytest.mark.parametrize("kind", ModelCacheError.__subclasses__())
def test_errors_can_be_pickled(kind: type[ModelCacheError]) -> None:
    original = kind("what happened", repo=REPO, path="a/b", status=404, needed=5, retry_after=1.5)
    copy = pickle.loads(pickle.dumps(original))
    assert type(copy) is kind
    assert str(copy) == "what happened"
    assert [getattr(copy, name) for name in error.FIELDS] == [
        getattr(original, name) for name in error.FIELDS
    ]


def test_system_errors_have_their_number() -> None:
    assert NoSpaceError("full").errno == errno.ENOSPC
    assert str(NoSpaceError("full")) == "full"
