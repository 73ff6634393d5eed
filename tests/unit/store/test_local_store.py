"""The contract on a local folder, and what is particular to folders."""

from pathlib import Path

import pytest

from lamflow.errors import InputError
from lamflow.store.local import LocalStore
from lamflow.store.protocol import Store
from lamflow.testing.store import StoreContract


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path_factory: pytest.TempPathFactory) -> Store:
        return LocalStore(tmp_path_factory.mktemp("store"))


def test_a_link_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    store = LocalStore(root)
    with pytest.raises(InputError, match="a link leads out of"):
        store.read("link/secret")
    with pytest.raises(InputError, match="a link leads out of"):
        store.write("link/new", b"x")
    assert list(store.list()) == []


def test_an_object_can_not_hold_others(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("a", b"x")
    with pytest.raises(InputError, match="can't hold others"):
        store.write("a/b", b"x")
    store.write("c/d", b"x")
    with pytest.raises(InputError, match="can't hold both"):
        store.write("c", b"x")
    assert [entry.key for entry in store.list()] == ["a", "c/d"]


def test_nothing_is_left_of_a_failed_put(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    with pytest.raises(FileNotFoundError):
        store.put("a", tmp_path / "missing")
    assert not [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
