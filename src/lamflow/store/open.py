"""From an address to a store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from lamflow.errors import InputError, Problem
from lamflow.store.local import LocalStore
from lamflow.store.protocol import Store, check_key
from lamflow.store.s3 import Credentials, S3Address, S3Store


def open_store(
    url: str,
    *,
    endpoint: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    ca: Path | None = None,
    credentials: Credentials | None = None,
) -> Store:
    """Open the store at a path, ``file://`` or ``s3://bucket/prefix``; nothing is sent yet.

    Parameters
    ----------
    url
        Where the store is.
    endpoint, region, profile, ca
        For S3, see `S3Address`.
    credentials
        For S3, instead of those that boto3 finds.

    Raises
    ------
    InputError
        If `url` is of another kind.
    """
    if url.startswith("s3://"):
        bucket, prefix = split_s3(url)
        address = S3Address(bucket, prefix, endpoint, region, profile, ca)
        return S3Store(address, credentials)
    if url.startswith("file:///"):
        return LocalStore(Path(unquote(urlsplit(url).path)))
    if "://" not in url:
        return LocalStore(Path(url))
    raise InputError(Problem(url, "", "is no store; give a path or s3://bucket/prefix"))


def split_s3(url: str) -> tuple[str, str]:
    """Return bucket and key (maybe empty) of an s3:// address.

    The key is taken as it is written: ``%20`` is no blank there.

    Raises
    ------
    InputError
        If there is no bucket, or the key could not be one.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or "@" in bucket or ":" in bucket:
        shown = f"s3://…@{url.rpartition('@')[2]}" if "@" in bucket else url
        raise InputError(Problem(shown, "", "is no S3 address; write s3://bucket/prefix"))
    key = key.rstrip("/")
    if key:
        check_key(key)
    return bucket, key
