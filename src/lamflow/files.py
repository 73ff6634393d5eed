"""Files and folders that appear whole or not at all, and their hashes."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 1 << 20


def write_text(path: Path, text: str) -> None:
    """Write `text` beside `path` and rename it there, so that no reader sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside `path` that is renamed to `path` if the block succeeds.

    An existing `path` is replaced. If the block fails nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    folder.chmod(0o755)
    try:
        yield folder
        old = None
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            path.replace(old / path.name)
        folder.replace(path)
        if old is not None:
            shutil.rmtree(old)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def list_files(folder: Path) -> list[Path]:
    """Regular files below `folder`, sorted by their POSIX relative path; loops are not followed."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        found += [Path(root) / name for name in names if (Path(root) / name).is_file()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def sha256_tree(path: Path) -> str:
    """SHA-256 over names and contents of a file or of a folder's files, hexadecimal."""
    if path.is_file():
        return sha256_file(path)
    digest = hashlib.sha256()
    for file in list_files(path):
        line = f"{file.relative_to(path).as_posix()}\0{sha256_file(file)}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of the canonical JSON form of `value`, hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
