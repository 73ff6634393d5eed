"""Small things to register, and the promises that hold on every store."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lamflow.data.card import DatasetCard
from lamflow.errors import InputError
from lamflow.files import sha256_json
from lamflow.registry.names import parse_reference
from lamflow.registry.registry import Registry
from lamflow.registry.release import DatasetContent, Release, describe_parts
from lamflow.registry.verify import verify_all, verify_version
from lamflow.store.protocol import CorruptError, Store

OpenStore = Callable[[], Store]
PUBLISHERS = 16


def sample(
    folder: Path, text: str, name: str = "open/water"
) -> tuple[DatasetContent, dict[str, Path]]:
    """Write a dataset of two files, one the same for every `text`, and describe it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"set.000/energy.npy": folder / text, "type.raw": folder / "type"}
    files["set.000/energy.npy"].write_text(text)
    files["type.raw"].write_text("0 1 1")
    card = DatasetCard(
        name=name, frames=1, atoms_min=3, atoms_max=3, elements=("H", "O"), type_map=("O", "H"),
        labels=("energy",), periodic=False, licence="CC0-1.0", sha256=sha256_json(text),
    )  # fmt: skip
    return DatasetContent(name=name, parts=describe_parts(files), card=card), files


def publish(registry: Registry, folder: Path, text: str, name: str = "open/water") -> Release:
    return registry.publish(*sample(folder, text, name))


def _publish_one(open_store: OpenStore, folder: Path, text: str) -> None:
    registry = Registry(open_store())
    release = publish(registry, folder, text)
    registry.move_tag("dataset", "open/water", "latest", release.version, only_forward=True)


def publish_at_once(open_store: OpenStore, folder: Path, texts: list[str]) -> None:
    """Publish each text from a process of its own, all at once."""
    # Forked children share the sockets of a client: each opens a store of its own.
    fork = multiprocessing.get_context("fork")
    children = [
        fork.Process(target=_publish_one, args=(open_store, folder / str(number), text))
        for number, text in enumerate(texts)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * len(children)


class _SlowStore:
    """Stops at the first operation of one name, and says so by a file."""

    def __init__(self, store: Store, operation: str, sign: Path) -> None:
        self._store, self._operation, self._sign = store, operation, sign

    def __getattr__(self, name: str) -> object:
        if name == self._operation:
            self._sign.touch()
            time.sleep(600)
        return getattr(self._store, name)


def publish_and_die(open_store: OpenStore, folder: Path, text: str, operation: str) -> None:
    """Publish in a child that is killed just before `operation` of the store."""

    def child() -> None:
        store: Store = _SlowStore(open_store(), operation, folder / "sign")  # type: ignore[assignment]
        _publish_one(lambda: store, folder / "files", text)

    folder.mkdir()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    end = time.monotonic() + 60
    while not (folder / "sign").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


class RegistryContract:
    """What holds on every store with conditional writes; subclass it with `open_store`."""

    def test_a_version_comes_back_as_it_was(self, open_store: OpenStore, tmp_path: Path) -> None:
        registry = Registry(open_store())
        first = publish(registry, tmp_path / "in", "one")
        assert (first.version, registry.names("dataset")) == (1, ["open/water"])
        assert registry.release("dataset", "open/water@1") == first
        folder = registry.pull(first, tmp_path / "out")
        assert (folder / "set.000/energy.npy").read_text() == "one"
        assert verify_version(registry, "dataset", parse_reference("open/water@1")) == []
        with pytest.raises(InputError, match="is there already"):
            registry.pull(first, tmp_path / "out")

    def test_the_same_content_is_published_once(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        registry = Registry(open_store())
        assert publish(registry, tmp_path, "one").version == 1
        assert publish(registry, tmp_path, "two").version == 2
        assert publish(registry, tmp_path, "one").version == 1
        assert registry.versions("dataset", "open/water") == [1, 2]

    def test_tags_move_and_versions_do_not(self, open_store: OpenStore, tmp_path: Path) -> None:
        registry = Registry(open_store())
        for text in ("one", "two"):
            publish(registry, tmp_path, text)
        assert registry.move_tag("dataset", "open/water", "production", 2) is None
        assert registry.move_tag("dataset", "open/water", "production", 1, only_forward=True) == 2
        assert registry.tags("dataset", "open/water") == {"production": 2}
        assert registry.move_tag("dataset", "open/water", "production", 1) == 2
        assert registry.release("dataset", "open/water@production").version == 1
        with pytest.raises(InputError, match="there are: 1 to 2, production"):
            registry.move_tag("dataset", "open/water", "production", 3)
        with pytest.raises(InputError, match=r"no dataset of this name.*did you mean 'open/water'"):
            registry.release("dataset", "open/watre@1")

    def test_sixteen_publishers_at_once(self, open_store: OpenStore, tmp_path: Path) -> None:
        """Each gets a version of its own, whole, and `latest` is the last."""
        texts = [f"text {number}" for number in range(PUBLISHERS)]
        publish_at_once(open_store, tmp_path, texts)
        registry = Registry(open_store())
        releases = registry.releases("dataset", "open/water")
        assert [one.version for one in releases] == list(range(1, PUBLISHERS + 1))
        assert {one.content.card.sha256 for one in releases} == {sha256_json(t) for t in texts}
        assert registry.tags("dataset", "open/water") == {"latest": PUBLISHERS}
        assert all(not faults for _, faults in verify_all(registry, "dataset"))

    def test_the_same_from_several_publishers_is_one_version(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        publish_at_once(open_store, tmp_path, ["one"] * 4)
        assert Registry(open_store()).versions("dataset", "open/water") == [1]

    @pytest.mark.parametrize("operation", ["put", "create"])
    def test_a_killed_publisher_leaves_no_version(
        self, open_store: OpenStore, tmp_path: Path, operation: str
    ) -> None:
        """kill -9 before the parts are there, or before the record: nothing is seen of it."""
        publish_and_die(open_store, tmp_path / "dead", "one", operation)
        registry = Registry(open_store())
        assert registry.names("dataset") == []
        with pytest.raises(InputError, match="no dataset of this name"):
            registry.release("dataset", "open/water")
        assert publish(registry, tmp_path / "alive", "one").version == 1
        assert list(verify_all(registry, "dataset")) == [("open/water@1", [])]

    def test_a_torn_upload_is_sent_again(self, open_store: OpenStore, tmp_path: Path) -> None:
        """A part of which half is there is no part."""
        store = open_store()
        content, files = sample(tmp_path, "torn upload")
        for part in content.parts.values():
            store.write(f"parts/{part.sha256[:2]}/{part.sha256}", b"to")
        release = Registry(store).publish(content, files)
        assert verify_version(Registry(store), "dataset", parse_reference(str(release))) == []

    def test_a_clock_that_jumps(self, open_store: OpenStore, tmp_path: Path) -> None:
        """Versions count on, whatever the publishers' clocks say."""
        for text, year in (("one", 2030), ("two", 1970), ("three", 2026)):
            registry = Registry(
                open_store(), now=lambda year=year: datetime(year, 1, 1, tzinfo=UTC)
            )
            release = publish(registry, tmp_path, text)
            registry.move_tag("dataset", "open/water", "latest", release.version, only_forward=True)
        found = registry.releases("dataset", "open/water")
        assert [one.published[:4] for one in found] == ["2030", "1970", "2026"]
        assert registry.release("dataset", "open/water@latest").version == 3

    def test_damage_is_found_and_put_right(self, open_store: OpenStore, tmp_path: Path) -> None:
        store = open_store()
        registry = Registry(store)
        release = publish(registry, tmp_path / "in", "one")
        part = release.content.parts["set.000/energy.npy"]
        key = f"parts/{part.sha256[:2]}/{part.sha256}"
        store.write(key, b"two")
        ((_, faults),) = verify_all(registry, "dataset")
        assert len(faults) == 1
        assert "set.000/energy.npy" in faults[0]
        with pytest.raises(CorruptError, match="publish the same files again"):
            registry.pull(release, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert publish(registry, tmp_path / "in", "one") == release
        assert [faults for _, faults in verify_all(registry, "dataset")] == [[]]
        store.delete(key)
        ((_, faults),) = verify_all(registry, "dataset")
        assert "there is no" in faults[0]

    def test_a_changed_record_is_found(self, open_store: OpenStore, tmp_path: Path) -> None:
        store = open_store()
        registry = Registry(store)
        publish(registry, tmp_path, "one")
        key = "datasets/open/water/@versions/1.json"
        store.write(key, store.read(key)[0].replace(b"CC0-1.0", b"CC0-2.0"))
        with pytest.raises(CorruptError, match="was changed after it was published"):
            registry.release("dataset", "open/water@1")
        ((_, faults),) = verify_all(registry, "dataset")
        assert "was changed after it was published" in faults[0]
        assert publish(registry, tmp_path, "two").version == 2
