"""Folders in a store: sent and fetched with hashes, going on where a transfer was cut off."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from lamflow.errors import InputError, Problem
from lamflow.files import list_files, sha256_file, sha256_json
from lamflow.progress import Progress, silent
from lamflow.store.protocol import (
    CorruptError,
    ExistsError,
    NotFoundError,
    Store,
    check_key,
)

MANIFEST = "lamflow-files.json"
"""Lists a folder's files; it is written last, so a folder without it is not complete."""
PUBLISHED = "published.json"
_WORKERS = 4


@dataclass(frozen=True)
class StoredFile:
    """A file of a folder: POSIX path below it, bytes, SHA-256 (hexadecimal; empty: unknown)."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder holds; empty folders don't count."""

    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """SHA-256 over names and contents, hexadecimal."""
        return sha256_json([[file.path, file.sha256] for file in self.files])

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        files = [vars(file) for file in self.files]
        return (json.dumps({"files": files}, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes, place: str) -> "Manifest":
        """Read what `to_bytes` wrote; CorruptError if it is something else."""
        try:
            entries = json.loads(content)["files"]
            files = tuple(StoredFile(e["path"], int(e["size"]), e["sha256"]) for e in entries)
            for file in files:
                check_key(file.path)
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise CorruptError(f"{place} is no list of files: {error}") from error
        return cls(files)


def read_manifest(folder: Path) -> Manifest:
    """List and hash the files of a local folder.

    Raises
    ------
    InputError
        If there is no such folder, a link leads out of it, or a name can't be a key.
    """
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "", "is no folder; give one that is there"))
    root = folder.resolve()
    files = []
    for path in list_files(folder):
        name = path.relative_to(folder).as_posix()
        if not path.resolve().is_relative_to(root):
            what = f"is a link out of {folder}; put the file itself there"
            raise InputError(Problem(str(path), "", what))
        files.append(StoredFile(check_key(name), path.stat().st_size, sha256_file(path)))
    return Manifest(tuple(file for file in files if file.path != MANIFEST))


def upload_folder(
    store: Store,
    folder: Path,
    prefix: str,
    progress: Progress = silent,
    manifest_key: str | None = None,
) -> Manifest:
    """Store the files of `folder` below `prefix`; files that are there already are not sent again.

    The manifest goes to `manifest_key`, or among the files. `progress` is told bytes. Files below
    `prefix` that `folder` lacks are left alone, but are not in the manifest.
    """
    check_key(prefix)
    manifest = read_manifest(folder)
    present = {entry.key: entry.size for entry in store.list(f"{prefix}/")}
    meter = _Meter(progress, manifest.size)

    def send(file: StoredFile) -> None:
        key = f"{prefix}/{file.path}"
        source = folder / file.path
        if present.get(key) == file.size and store.holds(key, source, file.sha256):
            meter.add(file.size)
        else:
            store.put(key, source, meter.add, file.sha256)

    _each(send, manifest.files)
    store.write(manifest_key or f"{prefix}/{MANIFEST}", manifest.to_bytes())
    return manifest


def download_folder(
    store: Store, prefix: str, folder: Path, progress: Progress = silent
) -> Manifest:
    """Fetch what lies below `prefix` into `folder`, which appears whole or not at all.

    What was fetched before a cut waits in ``.NAME.part`` beside `folder` and is not fetched again.
    Files that other tools put there, without a manifest, are fetched as they are listed.

    Raises
    ------
    NotFoundError
        Nothing lies there.
    CorruptError
        A file is not what the manifest says.
    InputError
        `folder` exists, or a key can't be a path.
    """
    if folder.exists():
        raise InputError(Problem(str(folder), "", "is there already; name a new folder"))
    manifest = stored_manifest(store, prefix)
    part = folder.parent / f".{folder.name}.part"
    part.mkdir(parents=True, exist_ok=True)
    meter = _Meter(progress, manifest.size)

    def fetch(file: StoredFile) -> None:
        target = part / file.path
        if file.sha256 and target.is_file() and sha256_file(target) == file.sha256:
            meter.add(file.size)
            return
        store.get(f"{prefix}/{file.path}", target, meter.add)
        if file.sha256 and sha256_file(target) != file.sha256:
            target.unlink()
            raise CorruptError(f"{store.url}/{prefix}/{file.path}: SHA-256 is not {file.sha256}")

    _each(fetch, manifest.files)
    _remove_others(part, manifest)
    part.replace(folder)
    return manifest


def stored_manifest(store: Store, prefix: str) -> Manifest:
    """Return the files below `prefix`, by its manifest or else as listed; NotFoundError if none."""
    key = f"{check_key(prefix)}/{MANIFEST}"
    try:
        return Manifest.from_bytes(store.read(key)[0], f"{store.url}/{key}")
    except NotFoundError:
        pass
    files = []
    for entry in store.list(f"{prefix}/"):
        name = entry.key.removeprefix(f"{prefix}/")
        if name and not name.endswith("/"):  # consoles mark folders by empty objects
            files.append(StoredFile(check_key(name), entry.size, ""))
    if not files:
        raise NotFoundError(f"nothing lies below {store.url}/{prefix}")
    return Manifest(tuple(files))


def delete_folder(store: Store, prefix: str) -> None:
    """Remove all that lies below `prefix`, its manifest first, so that no half of it is taken."""
    store.delete(f"{check_key(prefix)}/{MANIFEST}")
    for entry in list(store.list(f"{prefix}/")):
        store.delete(entry.key)


def publish_folder(store: Store, folder: Path, key: str, progress: Progress = silent) -> Manifest:
    """Publish `folder` as `key` in one step, once and for all.

    The files go below ``key/SHA256/``, where no other content can be; then ``key/published.json``
    is created, which names them. Of several publishers of different content one wins, whole.
    Publishing the same content again changes nothing.

    Raises
    ------
    ExistsError
        Something else is published as `key`.
    UnsupportedError
        The store has no conditional writes.
    """
    digest = read_manifest(folder).sha256
    manifest = upload_folder(store, folder, f"{check_key(key)}/{digest}", progress)
    if manifest.sha256 != digest:
        raise InputError(Problem(str(folder), "", "was changed while it was published"))
    try:
        store.create(f"{key}/{PUBLISHED}", json.dumps({"sha256": digest}).encode())
    except ExistsError:
        if published(store, key) != digest:
            raise ExistsError(
                f"{store.url}/{key} is published already, with other content; take a new name"
            ) from None
    return manifest


def published(store: Store, key: str) -> str | None:
    """Return the SHA-256 of what is published as `key`, None if nothing is."""
    try:
        content, _ = store.read(f"{check_key(key)}/{PUBLISHED}")
    except NotFoundError:
        return None
    try:
        return check_key(str(json.loads(content)["sha256"]))
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise CorruptError(f"{store.url}/{key}/{PUBLISHED} is damaged: {error}") from error


def download_published(
    store: Store, key: str, folder: Path, progress: Progress = silent
) -> Manifest:
    """Fetch what is published as `key`; NotFoundError if nothing is (see `download_folder`)."""
    digest = published(store, key)
    if digest is None:
        raise NotFoundError(f"nothing is published as {store.url}/{key}")
    return download_folder(store, f"{key}/{digest}", folder, progress)


class _Meter:
    """Adds up bytes from several threads."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._lock = Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._progress(self._done, self._total, {})


def _each(work: Callable[[StoredFile], None], files: Sequence[StoredFile]) -> None:
    """Do `work` for all files, some at a time; on a failure the others are not begun."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        tasks = [pool.submit(work, file) for file in files]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _remove_others(folder: Path, manifest: Manifest) -> None:
    """Remove what an earlier, different transfer left in `folder`."""
    wanted: Iterable[str] = {file.path for file in manifest.files}
    for path in list_files(folder):
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for root, _, _ in os.walk(folder, topdown=False):
        if not any(Path(root).iterdir()) and Path(root) != folder:
            shutil.rmtree(root)
