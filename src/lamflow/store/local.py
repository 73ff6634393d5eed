"""A store in a folder of this machine."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamflow.errors import InputError, Problem
from lamflow.files import sha256_file
from lamflow.store.protocol import (
    RESERVED,
    BytesDone,
    Entry,
    ExistsError,
    NotFoundError,
    check_key,
)


class LocalStore:
    """Each object is a file at its key below the root.

    Unlike in S3 a key can't be an object and a folder of others at once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._inner = self.root / RESERVED

    def __repr__(self) -> str:
        return f"LocalStore({str(self.root)!r})"

    @property
    def url(self) -> str:
        """The root as a file URL."""
        return self.root.as_uri()

    def put(
        self, key: str, source: Path, done: BytesDone | None = None, sha256: str | None = None
    ) -> None:
        """See `Store.put`."""
        with self._temporary(key) as (temporary, path):
            shutil.copyfile(source, temporary)
            _move(temporary, path)
        if done:
            done(path.stat().st_size)

    def get(self, key: str, target: Path, done: BytesDone | None = None) -> None:
        """See `Store.get`."""
        path = self._existing(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".get.")
        os.close(handle)
        try:
            shutil.copyfile(path, name)
            Path(name).chmod(0o644)
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)
        if done:
            done(target.stat().st_size)

    def write(self, key: str, content: bytes) -> str:
        """See `Store.write`."""
        with self._temporary(key) as (temporary, path):
            temporary.write_bytes(content)
            version = _version(temporary.stat())
            _move(temporary, path)
        return version

    def create(self, key: str, content: bytes) -> str:
        """See `Store.create`."""
        with self._temporary(key) as (temporary, path):
            temporary.write_bytes(content)
            try:
                os.link(temporary, path)  # fails if the name is taken, whoever else tries
            except FileExistsError as error:
                raise ExistsError(f"{self.url}/{key} is there already") from error
            return _version(temporary.stat())

    def replace(self, key: str, content: bytes, version: str) -> str:
        """See `Store.replace`; the lock is for processes of this machine."""
        from filelock import FileLock

        check_key(key)
        self._inner.mkdir(parents=True, exist_ok=True)
        with FileLock(self._inner / "replace.lock"):
            entry = self.stat(key)
            if entry is None or entry.version != version:
                raise ExistsError(f"{self.url}/{key} was changed meanwhile; read it again")
            return self.write(key, content)

    def read(self, key: str) -> tuple[bytes, str]:
        """See `Store.read`."""
        with self._existing(key).open("rb") as file:
            return file.read(), _version(os.fstat(file.fileno()))

    def stat(self, key: str) -> Entry | None:
        """See `Store.stat`."""
        path = self._path(key)
        return self._entry(key, path) if path.is_file() else None

    def holds(self, key: str, source: Path, sha256: str) -> bool:
        """See `Store.holds`."""
        path = self._path(key)
        same_size = path.is_file() and path.stat().st_size == source.stat().st_size
        return same_size and sha256_file(path) == sha256

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store.list`."""
        start = self.root
        if "/" in prefix:
            start = self._path(prefix.rpartition("/")[0])
        keys = []
        for root, folders, names in os.walk(start, followlinks=False):
            if Path(root) == self.root and RESERVED in folders:
                folders.remove(RESERVED)
            paths = (Path(root) / name for name in names)
            keys += [path.relative_to(self.root).as_posix() for path in paths if path.is_file()]
        for key in sorted((key for key in keys if key.startswith(prefix)), key=os.fsencode):
            yield self._entry(key, self.root / key)

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        path = self._path(key)
        if path.is_file():
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        path = self.root / check_key(key)
        if not path.resolve().is_relative_to(self.root):
            what = f"a link leads out of {self.root}; remove it"
            raise InputError(Problem(repr(key), "", what))
        return path

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise NotFoundError(f"there is no {key} in {self.url}")
        return path

    def _entry(self, key: str, path: Path) -> Entry:
        status = path.stat()
        return Entry(key, status.st_size, _version(status))

    @contextmanager
    def _temporary(self, key: str) -> Iterator[tuple[Path, Path]]:
        """Give a temporary file on the same file system, and the path of `key`."""
        path = self._path(key)
        self._inner.mkdir(parents=True, exist_ok=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            what = "a part of it is an object, and an object can't hold others in a local folder"
            raise InputError(Problem(repr(key), "", what)) from error
        handle, name = tempfile.mkstemp(dir=self._inner)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o644)
        try:
            yield temporary, path
        finally:
            temporary.unlink(missing_ok=True)


def _version(status: os.stat_result) -> str:
    """Name what a file holds: each writing makes a new file, with a time of its own."""
    return f"{status.st_mtime_ns}-{status.st_ino}-{status.st_size}"


def _move(temporary: Path, path: Path) -> None:
    """Rename a finished file into place, after its bytes are on the disk."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    try:
        temporary.replace(path)
    except IsADirectoryError as error:
        what = "other objects lie below this key, and a local folder can't hold both"
        raise InputError(Problem(repr(path.name), "", what)) from error
