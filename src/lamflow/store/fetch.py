"""Datasets that lie in a store, as local folders: fetched once for each content."""

import os
from dataclasses import dataclass
from pathlib import Path

from lamflow.errors import InputError, Problem
from lamflow.files import sha256_json
from lamflow.progress import Progress, silent
from lamflow.store.folders import MANIFEST, download_folder
from lamflow.store.protocol import Entry, NotFoundError, Store


def default_cache() -> Path:
    """Return the folder for fetched data: ``$XDG_CACHE_HOME/lamflow/data`` or ``~/.cache/...``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "lamflow" / "data"


@dataclass(frozen=True)
class Remote:
    """What lies at a key now.

    Attributes
    ----------
    key
        Of an object, or the prefix of several.
    entries
        The objects, by key; one whose key is `key` if it is a single object.
    """

    key: str
    entries: tuple[Entry, ...]

    @property
    def is_object(self) -> bool:
        """Whether `key` is an object, not a folder of such."""
        return len(self.entries) == 1 and self.entries[0].key == self.key

    @property
    def size(self) -> int:
        """Bytes of all objects."""
        return sum(entry.size for entry in self.entries)

    def content(self, place: str) -> str:
        """Return a hash that changes when any object below `key` does; `place` is the store's."""
        objects = [[entry.key, entry.size, entry.version] for entry in self.entries]
        return sha256_json([place, self.key, objects])


def look(store: Store, key: str) -> Remote:
    """List what lies at `key`; nothing is downloaded.

    Raises
    ------
    InputError
        If nothing lies there.
    """
    entry = store.stat(key)
    if entry is not None:
        return Remote(key, (entry,))
    entries = tuple(sorted(store.list(f"{key}/"), key=lambda entry: entry.key))
    if not any(entry.key != f"{key}/{MANIFEST}" and entry.size for entry in entries):
        what = "nothing lies there; look at bucket and prefix"
        raise InputError(Problem(f"{store.url}/{key}", "", what))
    return Remote(key, entries)


def fetch(store: Store, key: str, cache: Path | None = None, progress: Progress = silent) -> Path:
    """Give a local copy of the object or folder at `key`; InputError if nothing is there.

    The copy lies in `cache` (default: `default_cache`) under a name that its content decides: what
    has not changed is not fetched again, what has changed gets a new folder. It is to be read
    only. Several processes may fetch at once; one downloads, the others wait.
    """
    from filelock import FileLock

    remote = look(store, key)
    folder = (cache or default_cache()) / remote.content(store.url)[:32]
    target = folder / (key.rpartition("/")[2])
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not target.exists():
            _download(store, remote, target, progress)
    return target


def _download(store: Store, remote: Remote, target: Path, progress: Progress) -> None:
    try:
        if remote.is_object:
            store.get(remote.key, target)
            progress(remote.size, remote.size, {})
        else:
            download_folder(store, remote.key, target, progress)
    except NotFoundError as error:
        what = "was changed while it was fetched; try again"
        raise InputError(Problem(f"{store.url}/{remote.key}", "", what)) from error
