"""The contract of a store: subclass `StoreContract` and give it a `store` fixture."""
# ruff: noqa: S101 - these are tests

import threading
from pathlib import Path

import pytest

from lamflow.errors import InputError
from lamflow.files import sha256_file
from lamflow.store.folders import (
    MANIFEST,
    delete_folder,
    download_folder,
    download_published,
    publish_folder,
    published,
    upload_folder,
)
from lamflow.store.protocol import (
    CorruptError,
    Entry,
    ExistsError,
    NotFoundError,
    Store,
    UnsupportedError,
)

ODD_KEYS = (
    "plain.txt",
    "with blank.txt",
    "a+b&c=d,e;f@g.txt",
    "100%25.txt",
    "brackets[1]{2}(3).txt",
    "quotes'and\"more.txt",
    "hash#question?.txt",
    "tilde~star*bang!.txt",
    "café-水-Å.txt",
    "deep/er/and/deep/er.txt",
    ".hidden",
    "back\\slash.txt",
    "a:b|c<d>.txt",
    "-dash",
)
BAD_KEYS = (
    "", "/", "/absolute", "a/../b", "..", "../up", "a//b", "a/", "./a", "nul\0", "new\nline",
    "x" * 1001, "a/" + "x" * 241, "\udcff", ".lamflow/inner",
)  # fmt: skip
MEGABYTE = 1 << 20


def _random(size: int, seed: int) -> bytes:
    import numpy as np

    return np.random.default_rng(seed).bytes(size)


def _fill(folder: Path) -> dict[str, bytes]:
    content = {
        "card.json": b"{}",
        "empty": b"",
        "set.000/coord.npy": _random(70_000, 1),
        "set.000/with blank.npy": _random(1000, 2),
    }
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return content


def _content(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


class CountingStore:
    """Passes everything on and counts; can break off after some transfers."""

    def __init__(self, store: Store, breaks_after: int | None = None) -> None:
        self._store = store
        self._breaks_after = breaks_after
        self.transfers: list[str] = []
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, key: str, source: Path, done: object = None, sha256: str | None = None) -> None:
        """Put, unless the line is cut by now."""
        self._count(key)
        self._store.put(key, source)

    def get(self, key: str, target: Path, done: object = None) -> None:
        """Get, unless the line is cut by now."""
        self._count(key)
        self._store.get(key, target)

    def _count(self, key: str) -> None:
        with self._lock:
            if self._breaks_after is not None and len(self.transfers) >= self._breaks_after:
                raise ConnectionError("the line was cut")
            self.transfers.append(key)


class StoreContract:
    """What holds for every store. Each test is given an empty one."""

    conditional = True
    """Whether the store has conditional writes."""

    def test_what_is_put_is_got(self, store: Store, tmp_path: Path) -> None:
        """Files come back byte by byte, with their size and digest known."""
        source = tmp_path / "source"
        source.write_bytes(_random(100_000, 3))
        store.put("a/b", source)
        store.get("a/b", tmp_path / "new" / "target")
        assert (tmp_path / "new" / "target").read_bytes() == source.read_bytes()
        entry = store.stat("a/b")
        assert entry is not None
        assert entry.size == 100_000
        assert store.holds("a/b", source, sha256_file(source))
        source.write_bytes(_random(100_000, 5))
        assert not store.holds("a/b", source, sha256_file(source))

    def test_a_file_of_several_parts(self, store: Store, tmp_path: Path) -> None:
        """40 MiB go through multipart upload where there is one."""
        source = tmp_path / "source"
        source.write_bytes(_random(40 * MEGABYTE, 4))
        counted: list[int] = []
        store.put("large", source, counted.append)
        assert sum(counted) == 40 * MEGABYTE
        store.get("large", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == source.read_bytes()

    def test_an_empty_object(self, store: Store, tmp_path: Path) -> None:
        """0 bytes are an object; Argo archives empty logs."""
        (tmp_path / "source").write_bytes(b"")
        store.put("empty", tmp_path / "source")
        store.get("empty", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == b""
        store.write("empty2", b"")
        assert store.read("empty2")[0] == b""

    def test_the_last_write_stays(self, store: Store) -> None:
        """A write replaces, and gives the content a new version."""
        first = store.write("key", b"one")
        second = store.write("key", b"two")
        assert first != second
        assert store.read("key") == (b"two", second)
        entry = store.stat("key")
        assert entry == Entry("key", 3, second)

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys(self, store: Store, key: str, tmp_path: Path) -> None:
        """Keys are taken as they are, in every operation."""
        (tmp_path / "source").write_text(key)
        store.put(key, tmp_path / "source")
        assert store.read(key)[0].decode() == key
        assert [entry.key for entry in store.list()] == [key]
        store.delete(key)
        assert store.stat(key) is None

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_bad_keys_are_refused(self, store: Store, key: str, tmp_path: Path) -> None:
        """No operation takes a key that climbs, is absolute, or no portable name."""
        (tmp_path / "source").write_bytes(b"x")
        for attempt in (
            lambda: store.put(key, tmp_path / "source"),
            lambda: store.get(key, tmp_path / "target"),
            lambda: store.write(key, b"x"),
            lambda: store.read(key),
            lambda: store.stat(key),
            lambda: store.delete(key),
        ):
            with pytest.raises(InputError, match="can't be a key"):
                attempt()
        assert not (tmp_path / "target").exists()

    def test_a_missing_object(self, store: Store, tmp_path: Path) -> None:
        """Reading it is an error that names it; asking for it or deleting it is none."""
        with pytest.raises(NotFoundError, match="no/such"):
            store.get("no/such", tmp_path / "target")
        with pytest.raises(NotFoundError, match="no/such"):
            store.read("no/such")
        assert not (tmp_path / "target").exists()
        assert not list(tmp_path.iterdir())
        assert store.stat("no/such") is None
        store.delete("no/such")

    def test_listing(self, store: Store) -> None:
        """Keys of a prefix come in order; a prefix is text, not a folder."""
        keys = ["b", "a/x", "a/y/z", "ab", "a.b"]
        for key in keys:
            store.write(key, key.encode())
        assert [entry.key for entry in store.list()] == sorted(keys)
        assert [entry.key for entry in store.list("a/")] == ["a/x", "a/y/z"]
        assert [entry.key for entry in store.list("a/y")] == ["a/y/z"]
        assert list(store.list("zzz/")) == []
        entry = next(iter(store.list("a/x")))
        assert entry == store.stat("a/x")

    def test_creating_what_is_there(self, store: Store) -> None:
        """A second creation fails and changes nothing."""
        if not self.conditional:
            with pytest.raises(UnsupportedError, match="ignores conditional writes"):
                store.create("key", b"one")
            assert list(store.list()) == []
            return
        store.create("key", b"one")
        with pytest.raises(ExistsError, match="key"):
            store.create("key", b"two")
        assert store.read("key")[0] == b"one"

    def test_one_of_many_creators_wins(self, store: Store) -> None:
        """Threads that create one key at once: exactly one succeeds, and its content stays."""
        if not self.conditional:
            pytest.skip("the server has no conditional writes")
        won: list[bytes] = []

        def create(content: bytes) -> None:
            try:
                store.create("lock", content)
                won.append(content)
            except ExistsError:
                pass

        threads = [threading.Thread(target=create, args=(b"%d" % n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.read("lock")[0]] == won

    def test_replacing_a_version(self, store: Store) -> None:
        """Only who knows the last version may replace it."""
        if not self.conditional:
            with pytest.raises(UnsupportedError, match="ignores conditional writes"):
                store.replace("key", b"two", "1")
            return
        first = store.write("key", b"one")
        second = store.replace("key", b"two", first)
        with pytest.raises(ExistsError, match="changed meanwhile"):
            store.replace("key", b"three", first)
        assert store.read("key") == (b"two", second)

    def test_a_folder_goes_there_and_back(self, store: Store, tmp_path: Path) -> None:
        """Names, contents and progress."""
        content = _fill(tmp_path / "source")
        told: list[tuple[float, float]] = []
        sent = upload_folder(
            store, tmp_path / "source", "sets/water", lambda d, t, _: told.append((d, t))
        )
        assert told[-1] == (sent.size, sent.size)
        got = download_folder(store, "sets/water", tmp_path / "target")
        assert got == sent
        assert _content(tmp_path / "target") == content

    def test_an_upload_goes_on_after_a_cut(self, store: Store, tmp_path: Path) -> None:
        """What was sent is not sent again, and nothing is complete before the end."""
        content = _fill(tmp_path / "source")
        cut = CountingStore(store, breaks_after=2)
        with pytest.raises(ConnectionError):
            upload_folder(cut, tmp_path / "source", "sets/water")  # type: ignore[arg-type]
        assert store.stat(f"sets/water/{MANIFEST}") is None
        sent = {entry.key for entry in store.list()}
        second = CountingStore(store)
        upload_folder(second, tmp_path / "source", "sets/water")  # type: ignore[arg-type]
        assert set(second.transfers) == {f"sets/water/{name}" for name in content} - sent

    def test_a_changed_file_is_sent_again(self, store: Store, tmp_path: Path) -> None:
        """Content decides, not size or time."""
        _fill(tmp_path / "source")
        upload_folder(store, tmp_path / "source", "sets/water")
        (tmp_path / "source" / "card.json").write_bytes(b"[]")
        upload_folder(store, tmp_path / "source", "sets/water")
        assert store.read("sets/water/card.json")[0] == b"[]"

    def test_a_download_goes_on_after_a_cut(self, store: Store, tmp_path: Path) -> None:
        """What was fetched is not fetched again; the folder appears at the end."""
        content = _fill(tmp_path / "source")
        upload_folder(store, tmp_path / "source", "sets/water")
        cut = CountingStore(store, breaks_after=2)
        with pytest.raises(ConnectionError):
            download_folder(cut, "sets/water", tmp_path / "target")  # type: ignore[arg-type]
        assert not (tmp_path / "target").exists()
        second = CountingStore(store)
        download_folder(second, "sets/water", tmp_path / "target")  # type: ignore[arg-type]
        assert len(second.transfers) == len(content) - 2
        assert _content(tmp_path / "target") == content

    def test_a_folder_of_other_tools(self, store: Store, tmp_path: Path) -> None:
        """Without a manifest, what is listed is fetched."""
        store.write("other/a.txt", b"a")
        store.write("other/b/c.txt", b"c")
        download_folder(store, "other", tmp_path / "target")
        assert _content(tmp_path / "target") == {"a.txt": b"a", "b/c.txt": b"c"}
        with pytest.raises(NotFoundError, match="nothing lies below"):
            download_folder(store, "nothing", tmp_path / "target2")

    def test_a_damaged_file_is_noticed(self, store: Store, tmp_path: Path) -> None:
        """An object that is not what the manifest says is not taken for it."""
        _fill(tmp_path / "source")
        upload_folder(store, tmp_path / "source", "sets/water")
        store.write("sets/water/card.json", b"[]")
        with pytest.raises(CorruptError, match="card"):
            download_folder(store, "sets/water", tmp_path / "target")
        assert not (tmp_path / "target").exists()

    def test_a_manifest_can_not_write_elsewhere(self, store: Store, tmp_path: Path) -> None:
        """Paths in a manifest are keys, and keys don't climb."""
        store.write(
            f"evil/{MANIFEST}", b'{"files": [{"path": "../../x", "size": 1, "sha256": ""}]}'
        )
        with pytest.raises(CorruptError, match="no list of files"):
            download_folder(store, "evil", tmp_path / "a" / "b" / "target")

    def test_publishing(self, store: Store, tmp_path: Path) -> None:
        """A name is published once; the same content again is no error."""
        content = _fill(tmp_path / "one")
        _fill(tmp_path / "two")
        (tmp_path / "two" / "card.json").write_bytes(b"[]")
        if not self.conditional:
            with pytest.raises(UnsupportedError):
                publish_folder(store, tmp_path / "one", "models/water/v1")
            assert published(store, "models/water/v1") is None
            return
        assert published(store, "models/water/v1") is None
        first = publish_folder(store, tmp_path / "one", "models/water/v1")
        publish_folder(store, tmp_path / "one", "models/water/v1")
        with pytest.raises(ExistsError, match="take a new name"):
            publish_folder(store, tmp_path / "two", "models/water/v1")
        assert published(store, "models/water/v1") == first.sha256
        download_published(store, "models/water/v1", tmp_path / "target")
        assert _content(tmp_path / "target") == content

    def test_deleting_a_folder(self, store: Store, tmp_path: Path) -> None:
        """Neighbours whose names begin alike stay."""
        _fill(tmp_path / "source")
        upload_folder(store, tmp_path / "source", "sets/water")
        store.write("sets/water2/a", b"a")
        delete_folder(store, "sets/water")
        assert [entry.key for entry in store.list()] == ["sets/water2/a"]
