"""What a store can do, and the errors that it raises.

Keys are POSIX paths without a leading slash, such as ``models/water/v3/card.json``. Everything is
whole or not there: a reader never sees a part of an object.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lamflow.errors import InputError, LamflowError, Problem

BytesDone = Callable[[int], None]
"""Told of each batch of bytes that went through, from any thread."""

_LONGEST_KEY = 1000  # S3 allows 1,024 bytes of UTF-8; the prefix of a context is counted, too
_LONGEST_PART = 240  # file systems allow 255 bytes
RESERVED = ".lamflow"


class NotFoundError(LamflowError):
    """There is no object of this key."""


class ExistsError(LamflowError):
    """An object is there already, or is not the one that was to be replaced."""


class CorruptError(LamflowError):
    """An object is not what was put there."""


class UnsupportedError(LamflowError):
    """The server lacks an operation that is needed."""


@dataclass(frozen=True)
class Entry:
    """An object in a listing.

    Attributes
    ----------
    key
        Its key in the store.
    size
        Bytes.
    version
        Changes whenever the content does (S3's ETag, for example); opaque.
    """

    key: str
    size: int
    version: str


class Store(Protocol):
    """Objects by key. `lamflow.testing.store` has the tests that every store passes."""

    @property
    def url(self) -> str:
        """Where the store is, without credentials."""

    def put(
        self, key: str, source: Path, done: BytesDone | None = None, sha256: str | None = None
    ) -> None:
        """Store the bytes of the file `source`; an older object of that key is replaced.

        `sha256` (hexadecimal) saves computing it where it is known.
        """

    def get(self, key: str, target: Path, done: BytesDone | None = None) -> None:
        """Write an object to the file `target`, whole or not at all.

        Raises
        ------
        NotFoundError
            No such key.
        CorruptError
            What came is not what was put.
        """

    def write(self, key: str, content: bytes) -> str:
        """Store a few bytes; return the new version."""

    def create(self, key: str, content: bytes) -> str:
        """Store a few bytes where nothing is yet; of several at once, one succeeds.

        Raises
        ------
        ExistsError
            The key is taken.
        UnsupportedError
            The server can't promise this.
        """

    def replace(self, key: str, content: bytes, version: str) -> str:
        """Store a few bytes in place of `version`, if that is still what is there.

        Raises
        ------
        ExistsError
            Another version is there by now, or none.
        UnsupportedError
            The server can't promise this.
        """

    def read(self, key: str) -> tuple[bytes, str]:
        """Return a small object's bytes and its version; NotFoundError if there is none."""

    def stat(self, key: str) -> Entry | None:
        """Return size and version of one object, None if there is none."""

    def holds(self, key: str, source: Path, sha256: str) -> bool:
        """Whether an object is known, without a download, to have the bytes of `source`.

        `sha256` (hexadecimal) is that of `source`.
        """

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose key starts with `prefix`, in the order of the keys' bytes."""

    def delete(self, key: str) -> None:
        """Remove an object; it is no error if there is none."""


def check_key(key: str) -> str:
    """Return `key` if it can be one.

    Raises
    ------
    InputError
        If it is empty, too long, absolute, climbs (``..``), has empty parts or control characters.
    """
    parts = key.split("/")
    fault = ""
    if any(part in ("", ".", "..") for part in parts):
        fault = "has an empty part, '.' or '..'"
    elif any(ord(letter) < 32 or ord(letter) == 127 for letter in key):
        fault = "has control characters"
    elif not _is_text(key):
        fault = "is no text in UTF-8"
    elif len(key.encode()) > _LONGEST_KEY or any(len(p.encode()) > _LONGEST_PART for p in parts):
        fault = f"is longer than {_LONGEST_KEY} bytes, or a part of it than {_LONGEST_PART}"
    elif parts[0] == RESERVED:
        fault = f"starts with {RESERVED}, which lamflow keeps for itself"
    if fault:
        raise InputError(Problem(repr(key), "", f"can't be a key of a store: it {fault}"))
    return key


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, from a file name that is not UTF-8
        return False
    return True
