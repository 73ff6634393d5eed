"""The registry in a local folder, and what does not depend on the store."""

import json
from pathlib import Path

import pytest
from registry_samples import OpenStore, RegistryContract, publish, sample

from lamflow.errors import InputError
from lamflow.files import sha256_json
from lamflow.registry.registry import Registry
from lamflow.registry.release import Release
from lamflow.store.local import LocalStore
from lamflow.store.protocol import CorruptError


@pytest.fixture
def open_store(tmp_path_factory: pytest.TempPathFactory) -> OpenStore:
    root = tmp_path_factory.mktemp("store")
    return lambda: LocalStore(root)


class TestLocalRegistry(RegistryContract):
    pass


def test_a_name_can_be_a_part_of_another(open_store: OpenStore, tmp_path: Path) -> None:
    registry = Registry(open_store())
    publish(registry, tmp_path, "one", "open")
    publish(registry, tmp_path, "one", "open/water")
    publish(registry, tmp_path, "one", "open/water/ice")
    assert registry.names("dataset") == ["open", "open/water", "open/water/ice"]
    assert registry.versions("dataset", "open/water") == [1]
    assert registry.names("model") == []


def test_equal_files_are_kept_once(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    for text in ("one", "two"):
        publish(Registry(store), tmp_path, text)
    assert len(list(store.list("parts/"))) == 3


def test_a_file_that_changes_meanwhile_is_refused(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    content, files = sample(tmp_path, "one")
    files["set.000/energy.npy"].write_text("two")
    with pytest.raises(InputError, match="was changed while it was published"):
        Registry(store).publish(content, files)
    assert Registry(store).names("dataset") == []
    damaged = content.parts["set.000/energy.npy"].sha256
    assert store.stat(f"parts/{damaged[:2]}/{damaged}") is None


def test_a_pull_goes_on_after_a_cut(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    registry = Registry(store)
    release = publish(registry, tmp_path / "in", "one")
    waiting = tmp_path / f".out.{release.sha256[:12]}.part"
    waiting.mkdir()
    (waiting / "type.raw").write_text("0 1 1")
    (waiting / ".get.left").write_text("of a process that was killed")
    (waiting / "set.000").mkdir()
    (waiting / "set.000/energy.npy").write_text("half")
    store.delete(f"parts/{(sha := release.content.parts['type.raw'].sha256)[:2]}/{sha}")
    folder = registry.pull(release, tmp_path / "out")
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "energy.npy",
        "type.raw",
    ]
    assert (folder / "set.000/energy.npy").read_text() == "one"


def test_a_release_has_a_json_schema() -> None:
    schema = Release.model_json_schema()
    assert "licence" in schema["$defs"]["DatasetCard"]["properties"]
    assert all(
        "description" in field
        for name in ("ModelContent", "DatasetContent", "TestResult", "Ancestor")
        for field in schema["$defs"][name]["properties"].values()
    )


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_record_can_not_write_elsewhere(open_store: OpenStore, tmp_path: Path, path: str) -> None:
    """Even with a hash that fits: paths of parts are keys, and keys don't climb."""
    store = open_store()
    release = publish(Registry(store), tmp_path / "in", "one")
    plain = release.model_dump(mode="json")
    plain["content"]["parts"][path] = plain["content"]["parts"]["type.raw"]
    plain["sha256"] = sha256_json(plain["content"])
    store.write("datasets/open/water/@versions/1.json", json.dumps(plain).encode())
    with pytest.raises(CorruptError, match="can't be a key of a store"):
        Registry(store).release("dataset", "open/water@1")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b"\xff"])
def test_a_torn_record_is_told(open_store: OpenStore, content: bytes) -> None:
    store = open_store()
    store.write("datasets/open/water/@versions/1.json", content)
    with pytest.raises(CorruptError, match="is no record of a version"):
        Registry(store).release("dataset", "open/water@1")
