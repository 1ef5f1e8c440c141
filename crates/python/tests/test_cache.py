"""The calls of the cache against a hub."""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import tabagent_model_cache
from conftest import FILES, REPO, SIZE, WEIGHTS
from local_hub import LocalHub, write_repository
from tabagent_model_cache import GatedError, InvalidArgumentError, ModelCache, OfflineError, ReadOnlyError


def test_scan_download_and_read(cache: ModelCache) -> None:
    manifest = cache.scan_repo(REPO)
    assert {name: quant.status for name, quant in manifest.quants.items()} == {
        "fp16": "available",
        "q4": "available",
    }
    assert not cache.has_file(REPO, WEIGHTS)
    assert cache.get_file(REPO, WEIGHTS) is None

    done = cache.download_quant(REPO, "Q4")
    assert done.quants["q4"].status == "downloaded"
    assert done.quants["q4"].downloaded == done.quants["q4"].size
    assert cache.has_file(REPO, WEIGHTS)
    assert cache.get_manifest(REPO) == done
    assert cache.list_manifests() == [done]
    stored = {file.path: file for file in cache.list_files(REPO)}
    assert stored[WEIGHTS].size == SIZE
    assert stored[WEIGHTS].digest.value == hashlib.sha256(FILES[WEIGHTS]).hexdigest()

    with cache.get_file(REPO, WEIGHTS, revision=manifest.commit) as file:
        assert bytes(file) == FILES[WEIGHTS]


def test_a_manifest_has_what_the_endpoint_says(tmp_path: Path) -> None:
    write_repository(tmp_path / "hub", REPO, FILES)
    settings = {"pipeline_tag": "feature-extraction", "library_name": "transformers.js", "license": "mit"}
    (tmp_path / "hub" / f"{REPO}.json").write_text(
        json.dumps({**settings, "tags": ["bert"], "gated": "auto"})
    )
    with (
        LocalHub(tmp_path / "hub", "--unlimited") as hub,
        ModelCache(tmp_path / "store", endpoint=hub.url) as cache,
    ):
        manifest = cache.scan_repo(REPO)
        with pytest.raises(GatedError, match="ask"):
            cache.download_quant(REPO, "q4")
        failed = cache.get_manifest(REPO).quants["q4"]
    assert (manifest.repo, manifest.revision, len(manifest.commit)) == (REPO, "main", 40)
    assert (manifest.pipeline_task, manifest.library_name) == ("feature-extraction", "transformers.js")
    assert (manifest.license, manifest.gated, manifest.stale) == ("mit", True, False)
    assert "bert" in manifest.tags
    (shared,) = manifest.shared_files
    assert (shared.path, shared.role, shared.stored) == ("config.json", "config", False)
    assert abs(datetime.now(timezone.utc) - manifest.scanned_at) < timedelta(days=1)
    quant = manifest.quants["q4"]
    assert {file.path: file.role for file in quant.files} == {"config.json": "config", WEIGHTS: "weights"}
    assert (quant.format, quant.error, quant.updated_at) == ("onnx", None, manifest.scanned_at)
    assert (failed.status, failed.error.code) == ("failed", "ERR_GATED")
    assert REPO in failed.error.message
    assert failed.updated_at != quant.updated_at


def test_a_cache_tells_how_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, expected in [({}, (False, False)), ({"token": "hf_x", "offline": True}, (True, True))]:
        with ModelCache(tmp_path / "store", **options) as cache:
            assert (cache.offline, cache.authenticated) == expected
    monkeypatch.setenv("HF_TOKEN", "hf_y")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with ModelCache(tmp_path / "store") as cache:
        assert (cache.offline, cache.authenticated) == (True, True)
        assert cache.endpoint == "https://huggingface.co"


def test_fetch_file_downloads_what_is_missing(cache: ModelCache) -> None:
    assert cache.get_manifest(REPO) is None
    with cache.fetch_file(REPO, "config.json", verify=True) as file:
        assert file.json() == {"model_type": "bert"}
    assert cache.download_file(REPO, "README.md").stored
    assert [file.path for file in cache.list_files(REPO)] == ["README.md", "config.json"]


def test_removals_say_what_went(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    cache.download_quant(REPO, "fp16")
    assert cache.remove_file(REPO, WEIGHTS).files == 1
    assert cache.remove_quant(REPO, "fp16").files >= 1
    cache.download_file(REPO, WEIGHTS)
    assert cache.remove_repo(REPO).blobs >= 1
    assert cache.stats().files == 0


def test_a_check_and_a_prune_report(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    checked = cache.verify(repo=REPO)
    assert checked.bytes >= SIZE
    assert (checked.damaged, checked.missing, checked.records) == ((), (), ())
    planned = cache.prune(dry_run=True, max_size=0)
    assert planned.dry_run
    assert [quant.quant for quant in planned.quants] == ["q4"]
    assert cache.has_file(REPO, WEIGHTS)
    assert not cache.prune(max_size=0).dry_run
    assert not cache.has_file(REPO, WEIGHTS)


def test_exports_are_plain_files(cache: ModelCache, tmp_path: Path) -> None:
    cache.download_quant(REPO, "q4")
    report = cache.export_quant(REPO, "q4", tmp_path / "plain", link="copy")
    exported = {file.path: file for file in report.files}
    assert exported[WEIGHTS].method == "copy"
    assert exported[WEIGHTS].destination.read_bytes() == FILES[WEIGHTS]
    target = tmp_path / "one" / "weights.bin"
    cache.export_file(REPO, WEIGHTS, target)
    with pytest.raises(InvalidArgumentError):
        cache.export_file(REPO, WEIGHTS, target)
    cache.export_file(REPO, WEIGHTS, target, overwrite=True)
    assert target.read_bytes() == FILES[WEIGHTS]


def test_a_cache_of_huggingface_hub_is_imported(cache: ModelCache, tmp_path: Path) -> None:
    folder, commit = tmp_path / "hf" / "models--owner--other", "a" * 40
    name = hashlib.sha256(FILES[WEIGHTS]).hexdigest()
    (folder / "blobs").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "blobs" / name).write_bytes(FILES[WEIGHTS])
    (folder / "refs" / "main").write_text(commit)
    (folder / "snapshots" / commit / "model.onnx").symlink_to(Path("..") / ".." / "blobs" / name)
    report = cache.import_hf_cache(tmp_path / "hf")
    assert [(one.repo, one.commit, one.file.path) for one in report.imported] == [
        ("owner/other", commit, "model.onnx")
    ]
    assert report.bytes == SIZE
    with cache.get_file("owner/other", "model.onnx") as file:
        assert bytes(file) == FILES[WEIGHTS]


def test_a_watch_shows_the_present_and_then_changes(cache: ModelCache) -> None:
    cache.scan_repo(REPO)
    with cache.watch(repo=REPO) as watch:
        assert next(watch).quants["q4"].status == "available"
        cache.download_quant(REPO, "q4")
        seen = next(manifest for manifest in watch if manifest.quants["q4"].status == "downloaded")
        assert seen.repo == REPO
        cache.close()
        assert list(watch) == []


def test_closing_a_watch_ends_all_who_wait_at_it(cache: ModelCache) -> None:
    cache.scan_repo(REPO)
    watch = cache.watch()
    assert next(watch).repo == REPO
    threads = [threading.Thread(target=list, args=(watch,), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    watch.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert list(watch) == []


def test_wrong_types_are_told_by_name(cache: ModelCache) -> None:
    with pytest.raises(TypeError, match="progress must be a callable or True for a bar, got int"):
        cache.download_file(REPO, WEIGHTS, progress=5)
    assert not cache.has_file(REPO, WEIGHTS)
    with pytest.raises(
        InvalidArgumentError, match=r"an http or https URL such as http://127\.0\.0\.1:1, got"
    ):
        ModelCache(cache.path, endpoint="127.0.0.1:1")


def test_a_handle_is_for_its_own_process(cache: ModelCache) -> None:
    with cache.fetch_file(REPO, WEIGHTS) as file:
        for handle in (cache, file):
            with pytest.raises(TypeError, match="cannot be pickled or copied: open it again"):
                pickle.dumps(handle)


def test_the_module_shows_its_public_names_only() -> None:
    assert set(dir(tabagent_model_cache)) == set(tabagent_model_cache.__all__)


def test_options_reach_the_core(hub: LocalHub, cache: ModelCache) -> None:
    cache.download_file(REPO, WEIGHTS)
    with ModelCache(cache.path, endpoint=hub.url, read_only=True, zero_copy=False) as reader:
        with pytest.raises(ReadOnlyError):
            reader.download_file(REPO, "README.md")
        with reader.get_file(REPO, WEIGHTS) as file:
            assert not file.zero_copy
            assert bytes(file) == FILES[WEIGHTS]
    with ModelCache(cache.path, endpoint=hub.url, offline=True) as offline, pytest.raises(OfflineError):
        offline.download_file(REPO, "README.md")
    with pytest.raises(InvalidArgumentError, match="connections"):
        ModelCache(cache.path, connections=65)
    with pytest.raises(TypeError):
        ModelCache(cache.path, conections=6)


@pytest.mark.parametrize(
    "proxy",
    ["ftp://host", "http://", {"http": "socks4://host"}, {"https": "http://user:secret@"}, "http://a:x"],
)
def test_a_proxy_that_is_none_is_refused_without_showing_it(
    tmp_path: Path, proxy: str | dict[str, str]
) -> None:
    with pytest.raises(InvalidArgumentError, match="proxy must be a URL with a host") as caught:
        ModelCache(tmp_path / "store", proxy=proxy)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_proxies_of_a_wrong_type_or_scheme_are_named(tmp_path: Path) -> None:
    for proxy in [5, ["http://host"], {"http": 5}, {"http": None}]:
        with pytest.raises(TypeError, match="proxy must be"):
            ModelCache(tmp_path / "store", proxy=proxy)
    with pytest.raises(InvalidArgumentError, match='proxy must be one of "http", "https"'):
        ModelCache(tmp_path / "store", proxy={"ftp": "http://host"})
    for proxy in ["host:8080", "socks5h://user:word@host:1080", {}, {"https": "http://[::1]:3128"}]:
        ModelCache(tmp_path / "store", proxy=proxy).close()


def damage_records(cache: ModelCache, table: str) -> None:
    """Make every record of a table unreadable: its value, which begins with its schema, lies right behind its key."""
    path = cache.path / "model_cache_manifests" / "mdbx.dat"
    with path.open("r+b") as file:
        records = file.read()
        at = records.find(f"{table}:".encode())
        while at >= 0:
            schema = at + int.from_bytes(records[at - 2 : at], "little")
            if records[schema] == 1:
                file.seek(schema)
                file.write(b"\x63")
            at = records.find(f"{table}:".encode(), at + 1)


def test_damaged_records_are_told_and_mended(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    damage_records(cache, "use")
    told = cache.verify().records
    assert told
    assert all(record.key.startswith("use:") and not record.repaired and record.why for record in told)
    assert all(record.repaired for record in cache.verify(repair=True).records)
    assert cache.verify().records == ()
