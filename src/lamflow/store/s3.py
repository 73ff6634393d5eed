"""A store in a bucket of Amazon S3 or of a server that speaks its protocol.

Only plain requests are used (PUT, GET, HEAD, list, multipart, conditional PUT), because MinIO,
Ceph, Google and others differ at the edges. Each request's body is signed, so that the server
refuses what was damaged on the way; SHA-256 is kept in the object's metadata and checked on the
way back.
"""

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lamflow.files import sha256_file
from lamflow.store.protocol import (
    RESERVED,
    BytesDone,
    CorruptError,
    Entry,
    NotFoundError,
    UnsupportedError,
    check_key,
)
from lamflow.store.s3_errors import translated

_PART_BYTES = 16 << 20
_ATTEMPTS = 5  # botocore waits between them, longer each time and with jitter
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_DIGEST = "sha256"


@dataclass(frozen=True)
class S3Address:
    """Where a bucket is and whose credentials open it; holds none itself.

    Attributes
    ----------
    bucket, prefix
        All keys are below `prefix`, which may be empty.
    endpoint
        URL of the server; None: Amazon's.
    region
        Region's name; None: as the environment says, else us-east-1.
    profile
        Profile of ``~/.aws``; None: boto3's usual order (environment, web identity, instance).
    ca
        File of certificates to trust; None: the system's.
    web_identity
        Whether a role is assumed by the token of the pod's account, whatever else is there.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    ca: Path | None = None
    web_identity: bool = False


def _version(answer: dict[str, Any]) -> str:
    """Return the ETag without its quotes, which some servers leave out in listings."""
    return str(answer["ETag"]).strip('"')


@dataclass(frozen=True)
class Credentials:
    """Keys that were read from somewhere for this process alone; never shown."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def _web_identity_session() -> Any:
    """A session that takes no other credentials, such as keys of the environment."""
    from botocore.session import get_session

    session = get_session()
    resolver = session.get_component("credential_provider")
    resolver.providers = [resolver.get_provider("assume-role-with-web-identity")]
    return session


class S3Store:
    """Objects of one bucket below one prefix."""

    def __init__(self, address: S3Address, credentials: Credentials | None = None) -> None:
        self.address = address
        self._credentials = credentials

    def __repr__(self) -> str:
        return f"S3Store({self.url!r}, endpoint={self.address.endpoint!r})"

    @property
    def url(self) -> str:
        """Bucket and prefix as an s3:// address."""
        return f"s3://{self.address.bucket}/{self.address.prefix}".rstrip("/")

    def put(
        self, key: str, source: Path, done: BytesDone | None = None, sha256: str | None = None
    ) -> None:
        """See `Store.put`; large files go in parts, side by side."""
        from boto3.s3.transfer import TransferConfig

        metadata = {"Metadata": {_DIGEST: sha256 or sha256_file(source)}}
        size = source.stat().st_size
        with self._translated(key):
            self._client.upload_file(
                str(source),
                self.address.bucket,
                self._full(key),
                ExtraArgs=metadata,
                Callback=done,
                Config=TransferConfig(
                    multipart_threshold=_PART_BYTES,
                    multipart_chunksize=_PART_BYTES,
                    max_concurrency=4,
                ),
            )
        stored = self.stat(key)
        if stored is None or stored.size != size:
            raise CorruptError(f"{self.url}/{key}: {size} bytes were sent, but are not there")

    def get(self, key: str, target: Path, done: BytesDone | None = None) -> None:
        """See `Store.get`."""
        head = self._head(key)
        if head is None:
            raise NotFoundError(f"there is no {key} in {self.url}")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".get.")
        os.close(handle)
        path = Path(name)
        try:
            with self._translated(key):
                self._client.download_file(
                    self.address.bucket, self._full(key), name, Callback=done
                )
            self._verify(key, path, head)
            path.chmod(0o644)
            path.replace(target)
        finally:
            path.unlink(missing_ok=True)

    def write(self, key: str, content: bytes) -> str:
        """See `Store.write`."""
        return self._put_bytes(key, content)

    def create(self, key: str, content: bytes) -> str:
        """See `Store.create`."""
        self._want_conditions()
        return self._put_bytes(key, content, IfNoneMatch="*")

    def replace(self, key: str, content: bytes, version: str) -> str:
        """See `Store.replace`."""
        self._want_conditions()
        return self._put_bytes(key, content, IfMatch=f'"{version}"')

    def read(self, key: str) -> tuple[bytes, str]:
        """See `Store.read`."""
        with self._translated(key):
            answer = self._client.get_object(Bucket=self.address.bucket, Key=self._full(key))
            content: bytes = answer["Body"].read()
        recorded = answer.get("Metadata", {}).get(_DIGEST)
        if recorded and recorded != hashlib.sha256(content).hexdigest():
            raise self._corrupt(key)
        return content, _version(answer)

    def stat(self, key: str) -> Entry | None:
        """See `Store.stat`."""
        head = self._head(key)
        return None if head is None else Entry(key, head["ContentLength"], _version(head))

    def holds(self, key: str, source: Path, sha256: str) -> bool:
        """See `Store.holds`; told by the metadata, else by an ETag that is the content's MD5."""
        head = self._head(key)
        if head is None or head["ContentLength"] != source.stat().st_size:
            return False
        recorded = head.get("Metadata", {}).get(_DIGEST)
        if recorded:
            return bool(recorded == sha256)
        with source.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return _version(head) == md5.hexdigest()

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store.list`."""
        base = f"{self.address.prefix}/" if self.address.prefix else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.address.bucket, Prefix=base + prefix
        )
        with self._translated(prefix):
            for page in pages:
                for item in page.get("Contents", ()):
                    key = item["Key"].removeprefix(base)
                    if not key.startswith(f"{RESERVED}/"):
                        yield Entry(key, item["Size"], _version(item))

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        with self._translated(key):
            self._client.delete_object(Bucket=self.address.bucket, Key=self._full(key))

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        address, keys = self.address, self._credentials
        with self._translated(""):
            session = boto3.session.Session(
                botocore_session=_web_identity_session() if address.web_identity else None,
                profile_name=address.profile,
                region_name=address.region,
                aws_access_key_id=keys.access_key if keys else None,
                aws_secret_access_key=keys.secret_key if keys else None,
                aws_session_token=keys.session_token if keys else None,
            )
            return session.client(
                "s3",
                region_name=session.region_name or "us-east-1",
                endpoint_url=address.endpoint,
                verify=str(address.ca) if address.ca else None,
                config=Config(
                    signature_version="s3v4",
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                    # Checksums in trailers, the default since boto3 1.36, are refused by others.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    s3={
                        "addressing_style": "path" if address.endpoint else "auto",
                        "payload_signing_enabled": True,
                    },
                ),
            )

    def _translated(self, key: str) -> Any:
        return translated(self.address.bucket, self.address.endpoint, key)

    def _full(self, key: str) -> str:
        check_key(key)
        return f"{self.address.prefix}/{key}" if self.address.prefix else key

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            with self._translated(key):
                head: dict[str, Any] = self._client.head_object(
                    Bucket=self.address.bucket, Key=self._full(key)
                )
                return head
        except NotFoundError:
            return None

    def _put_bytes(self, key: str, content: bytes, **condition: str) -> str:
        with self._translated(key):
            answer = self._client.put_object(
                Bucket=self.address.bucket,
                Key=self._full(key),
                Body=content,
                Metadata={_DIGEST: hashlib.sha256(content).hexdigest()},
                **condition,
            )
        return _version(answer)

    def _verify(self, key: str, path: Path, head: dict[str, Any]) -> None:
        if path.stat().st_size != head["ContentLength"]:
            raise self._corrupt(key)
        recorded = head.get("Metadata", {}).get(_DIGEST)
        if recorded and sha256_file(path) != recorded:
            raise self._corrupt(key)

    def _corrupt(self, key: str) -> CorruptError:
        return CorruptError(
            f"{self.url}/{key}: what came is not what was put there (SHA-256 differs); "
            "try again, and if it stays so put the object there anew"
        )

    def _want_conditions(self) -> None:
        if not self._has_conditions:
            raise UnsupportedError(
                f"the server of {self.url} ignores conditional writes, so two writers could "
                "overwrite each other unseen; use a server that has them (Amazon S3, MinIO, Ceph)"
            )

    @cached_property
    def _has_conditions(self) -> bool:
        """Whether the server refuses what it must; some ignore the conditions without a word."""
        place = {
            "Bucket": self.address.bucket,
            "Key": "/".join(filter(None, (self.address.prefix, RESERVED, str(uuid.uuid4())))),
        }
        try:
            with self._translated("a probe of conditional writes"):
                self._client.put_object(**place, Body=b"")
            refusals = [
                self._refuses(place, condition)
                for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0"'})
            ]
        finally:
            with suppress(Exception):
                self._client.delete_object(**place)
        return all(refusals)

    def _refuses(self, place: dict[str, str], condition: dict[str, str]) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client.put_object(**place, Body=b"", **condition)
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412)
        return False
