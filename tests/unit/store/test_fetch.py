"""Fetching once for each content."""

from pathlib import Path

import pytest

from lamflow.errors import InputError
from lamflow.store.fetch import default_cache, fetch, look
from lamflow.store.folders import upload_folder
from lamflow.store.local import LocalStore
from lamflow.testing.store import CountingStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store")
    source = tmp_path / "source" / "set.000"
    source.mkdir(parents=True)
    (source / "coord.npy").write_bytes(b"coord")
    upload_folder(store, tmp_path / "source", "sets/water")
    store.write("sets/film.extxyz", b"1\n\nH 0 0 0\n")
    return store


def test_a_folder_is_fetched_once(store: LocalStore, tmp_path: Path) -> None:
    counting = CountingStore(store)
    first = fetch(counting, "sets/water", tmp_path / "cache")
    again = fetch(counting, "sets/water", tmp_path / "cache")
    assert first == again
    assert first.name == "water"
    assert (first / "set.000" / "coord.npy").read_bytes() == b"coord"
    assert counting.transfers == ["sets/water/set.000/coord.npy"]


def test_a_single_file_keeps_its_name(store: LocalStore, tmp_path: Path) -> None:
    path = fetch(store, "sets/film.extxyz", tmp_path / "cache")
    assert path.name == "film.extxyz"
    assert path.read_bytes() == b"1\n\nH 0 0 0\n"


def test_changed_content_gets_a_new_copy_and_the_old_one_stays(
    store: LocalStore, tmp_path: Path
) -> None:
    old = fetch(store, "sets/film.extxyz", tmp_path / "cache")
    before = look(store, "sets/film.extxyz").content(store.url)
    store.write("sets/film.extxyz", b"1\n\nH 0 0 1\n")
    new = fetch(store, "sets/film.extxyz", tmp_path / "cache")
    assert look(store, "sets/film.extxyz").content(store.url) != before
    assert old.read_bytes() == b"1\n\nH 0 0 0\n"
    assert new.read_bytes() == b"1\n\nH 0 0 1\n"


def test_a_fetch_that_was_cut_off_leaves_nothing_that_looks_whole(
    store: LocalStore, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionError):
        fetch(CountingStore(store, breaks_after=0), "sets/water", tmp_path / "cache")
    assert fetch(store, "sets/water", tmp_path / "cache").is_dir()


def test_nothing_there_is_an_input_error(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sets/nothing: nothing lies there"):
        fetch(store, "sets/nothing", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_default_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "lamflow" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache().parts[-3:] == (".cache", "lamflow", "data")
