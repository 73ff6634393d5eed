"""Datasets that contributors sent."""

from pathlib import Path

import pytest

from lamflow.errors import InputError
from lamflow.registry.inbox import Item, Outcome, conclude, fetch, scan, submit
from lamflow.store.folders import MANIFEST
from lamflow.store.local import LocalStore
from lamflow.store.protocol import CorruptError, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/data.raw").write_text("1 2 3")
    return tmp_path / "mine"


def only(store: Store) -> Item:
    (item,) = scan(store)
    return item


def test_a_dataset_is_new_until_it_has_an_outcome(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    assert list(scan(store)) == []
    sent = submit(store, folder, "water")
    item = only(store)
    assert item == sent
    assert item.is_new
    assert item.manifest is not None
    assert (fetch(store, item, tmp_path / "got") / "data.raw").read_text() == "1 2 3"
    outcome = Outcome(name="water", sha256=item.manifest.sha256, decision="covered", reason="known")
    assert conclude(store, outcome) == outcome
    assert not only(store).is_new
    assert only(store).outcome == outcome
    assert not submit(store, folder, "water").is_new


def test_the_first_outcome_stays(store: Store, folder: Path) -> None:
    manifest = submit(store, folder, "water").manifest
    assert manifest is not None
    first = Outcome(name="water", sha256=manifest.sha256, decision="published", release="a/b@2")
    assert conclude(store, first) == first
    again = first.model_copy(update={"decision": "stopped", "release": None})
    assert conclude(store, again) == first


def test_changed_files_are_new(store: Store, folder: Path) -> None:
    manifest = submit(store, folder, "water").manifest
    assert manifest is not None
    conclude(store, Outcome(name="water", sha256=manifest.sha256, decision="quarantined"))
    (folder / "data.raw").write_text("1 2 4")
    submit(store, folder, "water")
    assert only(store).is_new


def test_an_upload_that_goes_on_is_left_alone(store: Store, folder: Path) -> None:
    store.write("inbox/water/data.raw", b"1 2")
    store.write("inbox/README", b"put folders here")
    assert only(store) == Item("water")
    assert not only(store).is_new


def test_a_damaged_manifest_does_not_stop_the_others(store: Store, folder: Path) -> None:
    store.write(f"inbox/bad/{MANIFEST}", b"{")
    submit(store, folder, "water")
    bad, good = scan(store)
    assert "is no list of files" in bad.fault
    assert not bad.is_new
    assert good.is_new


def test_what_changes_meanwhile_is_not_taken(store: Store, folder: Path, tmp_path: Path) -> None:
    item = submit(store, folder, "water")
    (folder / "data.raw").write_text("1 2 4")
    submit(store, folder, "water")
    with pytest.raises(CorruptError, match="was changed while it was fetched"):
        fetch(store, item, tmp_path / "got")


def test_bad_names_are_refused(store: Store, folder: Path) -> None:
    for name in ("../x", "a/b", ""):
        with pytest.raises(InputError, match=r"can't be a name|has no '/'"):
            submit(store, folder, name)
